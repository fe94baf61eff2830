"""A queue in the memory of this process."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator
from datetime import UTC, datetime
from uuid import UUID

import structlog
from taskiq.message import BrokerMessage

from app.jobs.broker import Delivery, JobBroker, new_job
from app.jobs.outcomes import Changes, failed
from app.jobs.problems import QueueFullError
from app.jobs.schemas import Job, JobState
from app.jobs.settings import JobSettings
from app.problems import ProblemError

logger = structlog.stdlib.get_logger(__name__)


class MemoryBroker(JobBroker):
    """Jobs end with the process; of those that wait and of those that are done, some are kept."""

    def __init__(self, settings: JobSettings) -> None:
        super().__init__()
        self.settings = settings
        self.jobs: dict[UUID, Job] = {}
        self.messages: dict[UUID, str] = {}
        self.finished: deque[UUID] = deque()
        self.queue: asyncio.Queue[UUID] = asyncio.Queue()

    async def kick(self, message: BrokerMessage) -> None:
        """Add a job, unless it is known already.

        Raises:
            QueueFullError: too many are waiting.
        """
        job = new_job(message)
        if await self.find(job.id):
            return
        if len(self.messages) >= self.settings.job_queue_limit:
            raise QueueFullError
        self.jobs[job.id] = job
        self.messages[job.id] = message.message.decode()
        self.queue.put_nowait(job.id)

    async def listen(self) -> AsyncGenerator[bytes, None]:
        """Deliver one job after the other."""
        while True:
            job_id = await self.queue.get()
            delivery = Delivery(job_id, str(job_id), self.jobs[job_id].attempts + 1)
            yield delivery.stamp(self.messages[job_id])

    async def shutdown(self) -> None:
        """Tell how many jobs end with the process."""
        await super().shutdown()
        if self.messages:
            logger.warning("jobs_lost", count=len(self.messages), hint="REDIS_URL keeps them")

    async def find(self, job_id: UUID) -> Job | None:
        """Read the record of a job."""
        await self.tidy()
        return self.jobs.get(job_id)

    async def backlog(self) -> int:
        """Count the jobs that are not finished."""
        return len(self.messages)

    async def begin(self, delivery: Delivery, changes: Changes) -> None:
        """Note that an attempt begins."""
        self.change(delivery, changes)

    async def finish(self, delivery: Delivery, changes: Changes) -> None:
        """Write the end of a job, and take it off the queue."""
        self.change(delivery, changes)
        del self.messages[delivery.job_id]
        self.finished.append(delivery.job_id)

    async def postpone(self, delivery: Delivery, changes: Changes, *, seconds: float) -> None:
        """Let a job be delivered again after some time."""
        self.change(delivery, changes)
        asyncio.get_running_loop().call_later(seconds, self.queue.put_nowait, delivery.job_id)

    async def give_back(self, delivery: Delivery) -> JobState:
        """End a job that this process cannot finish: there is nobody else to do it."""
        error = ProblemError(503, "The service stopped before the job was done.")
        job = self.jobs[delivery.job_id]
        await self.finish(delivery, failed(job.id, job.request_id, error))
        return JobState.FAILED

    async def tidy(self) -> None:
        """Forget finished jobs when their lifetime is over, or when there are too many."""
        deadline = datetime.now(UTC) - self.settings.job_lifetime
        while self.finished:
            ended_at = self.jobs[self.finished[0]].finished_at
            few = len(self.finished) <= self.settings.job_queue_limit
            if few and ended_at and ended_at > deadline:
                break
            del self.jobs[self.finished.popleft()]

    def change(self, delivery: Delivery, changes: Changes) -> None:
        """Change the record of a job."""
        job = self.jobs[delivery.job_id]
        self.jobs[job.id] = job.model_copy(update=dict(changes))

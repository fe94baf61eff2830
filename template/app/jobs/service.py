"""What can be done with jobs."""

from contextlib import suppress
from hashlib import sha256
from uuid import UUID, uuid4, uuid5

import structlog
from redis.exceptions import RedisError
from taskiq.exceptions import SendTaskError, UnknownTaskError

from app.jobs.broker import JobBroker
from app.jobs.problems import JobNotFoundError, KeyReusedError, QueueUnavailableError
from app.jobs.schemas import Job, JobRequest

NAMESPACE = UUID("5a4f3c0e-8f0b-4f5e-9d3e-0d6c6b0b7a11")
CROWDED = 0.8

logger = structlog.stdlib.get_logger(__name__)


class JobService:
    """The jobs of one owner; no others exist here."""

    def __init__(self, broker: JobBroker, owner: str = "") -> None:
        self.broker = broker
        self.owner = owner

    async def submit(self, request: JobRequest, key: str = "") -> Job:
        """Put a job into the queue; a request with a key that is sent again is the same job.

        Raises:
            KeyReusedError: the key belongs to another request.
            QueueFullError: too many jobs are waiting.
            QueueUnavailableError: Redis is away.
        """
        job_id = uuid5(NAMESPACE, f"{self.owner} {key}") if key else uuid4()
        request_hash = sha256(request.model_dump_json().encode()).hexdigest()
        task = self.broker.find_task(request.task)
        if task is None:
            raise UnknownTaskError(task_name=request.task)
        kicker = task.kicker().with_task_id(str(job_id))
        try:
            await kicker.with_labels(owner=self.owner, request_hash=request_hash).kiq(request)
        except SendTaskError as error:
            raise reason_of(error) from error
        job = await self.get(job_id)
        if job.request_hash != request_hash:
            raise KeyReusedError
        return job

    async def get(self, job_id: UUID) -> Job:
        """Find a job.

        Raises:
            JobNotFoundError: there is none.
            QueueUnavailableError: Redis is away.
        """
        try:
            job = await self.broker.find(job_id)
        except RedisError as error:
            logger.warning("jobs_unavailable", error=repr(error))
            raise QueueUnavailableError from error
        if job is None or job.owner != self.owner:
            raise JobNotFoundError
        return job

    async def warn_if_crowded(self) -> None:
        """Tell whoever reads the log before the queue is full."""
        limit = self.broker.settings.job_queue_limit
        with suppress(RedisError):
            count = await self.broker.backlog()
            if count >= limit * CROWDED:
                logger.warning("many_jobs_are_waiting", count=count, limit=limit)


def reason_of(error: SendTaskError) -> BaseException:
    """Find out why a job was not put into the queue."""
    if isinstance(error.__cause__, RedisError):
        logger.warning("jobs_unavailable", error=repr(error.__cause__))
        return QueueUnavailableError()
    return error.__cause__ or error

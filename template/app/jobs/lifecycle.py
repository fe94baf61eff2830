"""What happens to a job before and after its task runs."""

import asyncio
import random
from time import perf_counter
from typing import Any, cast

import structlog
from taskiq import TaskiqMessage, TaskiqMiddleware, TaskiqResult

from app.jobs.broker import Delivery, JobBroker
from app.jobs.outcomes import failed, queued, running, succeeded
from app.jobs.schemas import JobState
from app.jobs.settings import JobSettings
from app.problems import ProblemError

CUT_OFF_SECONDS = 2

logger = structlog.stdlib.get_logger(__name__)


class Lifecycle(TaskiqMiddleware):
    """Keep the records true, retry what fails, and write one line about each attempt."""

    def __init__(self, jobs: JobBroker, settings: JobSettings) -> None:
        super().__init__()
        self.jobs = jobs
        self.settings = settings
        self.attempts: set[asyncio.Task[None]] = set()
        self.is_stopping = False

    def pre_send(self, message: TaskiqMessage) -> TaskiqMessage:
        """Let the log lines of a job tell which request it comes from."""
        request_id = structlog.contextvars.get_contextvars().get("request_id", "")
        message.labels.setdefault("request_id", request_id)
        return message

    async def pre_execute(self, message: TaskiqMessage) -> TaskiqMessage:
        """Begin an attempt, with a limit on its time."""
        structlog.contextvars.bind_contextvars(job_id=message.task_id, **request_of(message))
        attempt = cast("asyncio.Task[None]", asyncio.current_task())
        self.attempts.add(attempt)
        attempt.add_done_callback(self.attempts.discard)
        limit = self.settings.job_time_limit
        message.labels["timeout"] = min(float(message.labels.get("timeout", limit)), limit)
        delivery = Delivery.of(message)
        await self.jobs.begin(delivery, running(delivery.attempt))
        message.labels["began"] = perf_counter()
        return message

    async def post_execute(self, message: TaskiqMessage, result: TaskiqResult[Any]) -> None:
        """End an attempt."""
        state = await self.settle(message, result)
        logger.info(
            "job",
            task=message.task_name,
            status=state,
            attempt=message.labels["attempt"],
            duration_ms=round((perf_counter() - message.labels["began"]) * 1000, 2),
        )

    async def settle(self, message: TaskiqMessage, result: TaskiqResult[Any]) -> JobState:
        """Finish the job, or let it be tried again."""
        delivery, error = Delivery.of(message), result.error
        if error is None:
            return await self.succeed(message, result.return_value)
        if self.is_stopping and isinstance(error, asyncio.CancelledError):
            return await self.jobs.give_back(delivery)
        if is_final(error) or delivery.attempt >= self.settings.job_max_attempts:
            return await self.fail(message, error)
        await self.jobs.postpone(delivery, queued(), seconds=self.delay(delivery.attempt))
        return JobState.QUEUED

    async def succeed(self, message: TaskiqMessage, value: object) -> JobState:
        """Keep what the task has returned, if it can be kept."""
        try:
            changes = succeeded(value, limit=self.settings.job_result_limit)
        except (ProblemError, ValueError) as error:
            logger.exception("job_result_refused")
            return await self.fail(message, error)
        await self.jobs.finish(Delivery.of(message), changes)
        return JobState.SUCCEEDED

    async def fail(self, message: TaskiqMessage, error: BaseException) -> JobState:
        """Tell the owner as much as may be told."""
        delivery = Delivery.of(message)
        if not isinstance(error, ProblemError):
            times = "once" if delivery.attempt == 1 else f"{delivery.attempt} times"
            error = ProblemError(500, f"The job failed {times}; the log of the service tells why.")
        request_id = request_of(message).get("request_id", "")
        await self.jobs.finish(delivery, failed(delivery.job_id, request_id, error))
        return JobState.FAILED

    def delay(self, attempt: int) -> float:
        """Wait twice as long after each attempt, but not all jobs for the same time."""
        longest = self.settings.job_retry_delay * 2.0 ** (attempt - 1)
        jitter = random.uniform(0.5, 1)  # noqa: S311  nobody gains from guessing it
        return min(longest, self.settings.job_retry_delay_limit) * jitter

    async def shutdown(self) -> None:
        """Cut off the attempts that still run, and let go of their jobs."""
        self.is_stopping = True
        for attempt in self.attempts:
            attempt.cancel()
        if self.attempts:
            await asyncio.wait(self.attempts, timeout=CUT_OFF_SECONDS)


def is_final(error: BaseException) -> bool:
    """Whether another attempt would fail as well: the task says that the request is at fault."""
    return isinstance(error, ProblemError) and error.status < 500


def request_of(message: TaskiqMessage) -> dict[str, str]:
    """Name the request that has submitted the job, if there was one."""
    request_id = message.labels.get("request_id")
    return {"request_id": request_id} if request_id else {}

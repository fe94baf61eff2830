"""Periodic jobs, each once for the minute that it is due, however many schedulers there are."""

import asyncio
from datetime import UTC, datetime
from uuid import UUID, uuid5

import structlog
from taskiq import ScheduledTask, ScheduleSource, TaskiqScheduler
from taskiq.exceptions import SendTaskError
from taskiq.schedule_sources import LabelScheduleSource

from app.jobs.broker import JobBroker

NAMESPACE = UUID("c3b7d0f6-3b55-4c56-8a0c-2f5c8f0d7e42")
RETRY_SECONDS = 1.0

logger = structlog.stdlib.get_logger(__name__)


class JobScheduler(TaskiqScheduler):
    """Send each periodic job under an id that follows from its task and the minute.

    The queue knows a job by its id, and takes it once.
    """

    def __init__(self, broker: JobBroker) -> None:
        super().__init__(broker, [LabelScheduleSource(broker)])

    async def on_ready(self, source: ScheduleSource, task: ScheduledTask) -> None:
        """Send a job that is due; if the queue does not take it, as soon as it does."""
        due = datetime.now(UTC).replace(second=0, microsecond=0)
        job_id = uuid5(NAMESPACE, f"{task.task_name} {due.isoformat()}")
        job = task.model_copy(update={"task_id": str(job_id)})
        while True:
            try:
                await super().on_ready(source, job)
            except SendTaskError as error:
                logger.warning(
                    "periodic_job_not_sent", task=task.task_name, error=repr(error.__cause__)
                )
                await asyncio.sleep(RETRY_SECONDS)
            else:
                return

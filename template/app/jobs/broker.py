"""What every queue of jobs can do, whether it is in this process or in Redis."""

import asyncio
import json
from abc import abstractmethod
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from taskiq.abc.broker import AsyncBroker
from taskiq.message import BrokerMessage, TaskiqMessage

from app.jobs.outcomes import Changes
from app.jobs.schemas import Job, JobState
from app.jobs.settings import JobSettings


@dataclass(frozen=True)
class Delivery:
    """A job that a worker has been given, for which entry in the queue, and how many times now."""

    job_id: UUID
    entry: str
    attempt: int

    def stamp(self, message: str) -> bytes:
        """Write the delivery into the labels of a message, for `of` to read."""
        content = json.loads(message)
        content["labels"] |= {"entry": self.entry, "attempt": self.attempt}
        return json.dumps(content).encode()

    @classmethod
    def of(cls, message: TaskiqMessage) -> "Delivery":
        """Read what `stamp` has written."""
        labels = message.labels
        return cls(UUID(message.task_id), labels["entry"], labels["attempt"])


class JobBroker(AsyncBroker):
    """A broker of Taskiq that remembers what has become of each job.

    A job has a record, and an entry in the queue until it is finished. Both change together, so
    that a job is neither lost nor reported as what it is not.
    """

    settings: JobSettings
    stop: asyncio.Event
    """What tells a worker to take no more jobs."""

    @abstractmethod
    async def find(self, job_id: UUID) -> Job | None:
        """Read the record of a job."""

    @abstractmethod
    async def backlog(self) -> int:
        """Count the jobs that are not finished."""

    @abstractmethod
    async def begin(self, delivery: Delivery, changes: Changes) -> None:
        """Note that an attempt begins."""

    @abstractmethod
    async def finish(self, delivery: Delivery, changes: Changes) -> None:
        """Write the end of a job, and take it off the queue."""

    @abstractmethod
    async def postpone(self, delivery: Delivery, changes: Changes, *, seconds: float) -> None:
        """Let a job be delivered again after some time."""

    @abstractmethod
    async def give_back(self, delivery: Delivery) -> JobState:
        """Let go of a job that this process cannot finish, because it stops."""

    @abstractmethod
    async def tidy(self) -> None:
        """Forget what nobody can use any more."""


def new_job(message: BrokerMessage) -> Job:
    """Make the record that goes with a new message."""
    return Job(
        id=UUID(message.task_id),
        task=message.task_name,
        submitted_at=datetime.now(UTC),
        owner=message.labels.get("owner", ""),
        request_hash=message.labels.get("request_hash", ""),
        request_id=message.labels.get("request_id", ""),
    )

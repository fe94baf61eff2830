"""What is sent and received about jobs, and what is remembered."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated
from uuid import UUID

from fastapi import Header
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    # {% if database == 'none' %}
    Field,
    # {% endif %}
    JsonValue,
    StringConstraints,
)

from app.problems import Problem


def unquote(key: str) -> str:
    """Read a string as RFC 8941 writes it, and the bare text that many clients send."""
    return key.strip('"')


IdempotencyKey = Annotated[
    str,
    StringConstraints(pattern=r'^"?[!#-\[\]-~]{1,255}"?$'),
    AfterValidator(unquote),
    Header(alias="Idempotency-Key"),
]
# {% if database == 'none' %}
Quantity = Annotated[int, Field(strict=True, ge=0, le=2_147_483_647)]
# {% endif %}


class JobRequest(BaseModel):
    """What a caller submits: the name of a task, and what the task needs to know."""

    model_config = ConfigDict(hide_input_in_errors=True)

    task: str


class JobState(StrEnum):
    """Where a job stands; one that waits for another attempt is queued."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


class JobProblem(Problem):
    """Why a job failed."""


class JobOut(BaseModel):
    """A job as its owner sees it; `attempts` counts how often it was begun."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    task: str
    state: JobState = JobState.QUEUED
    attempts: int = 0
    submitted_at: datetime
    started_at: datetime | None = None
    finished_at: datetime | None = None
    result: JsonValue = None
    problem: JobProblem | None = None


class Job(JobOut):
    """A job as it is remembered; `request_hash` tells requests with the same key apart."""

    owner: str = ""
    request_hash: str = ""
    request_id: str = ""

    @property
    def is_finished(self) -> bool:
        """Whether the job will not be tried again."""
        return self.state in {JobState.SUCCEEDED, JobState.FAILED}

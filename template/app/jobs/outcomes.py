"""What changes in the record of a job when something happens to it."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from pydantic import TypeAdapter

from app import API_PREFIX
from app.jobs.schemas import JobProblem, JobState
from app.problems import ProblemError

JOBS_PATH = f"{API_PREFIX}/jobs"

Changes = Mapping[str, Any]
ANYTHING: TypeAdapter[Any] = TypeAdapter(Any)


class ResultTooLargeError(ProblemError):
    """A task has returned more than is kept."""

    def __init__(self, limit: int) -> None:
        super().__init__(422, f"The result has more than {limit} bytes.")


def queued() -> Changes:
    """Wait for the next attempt."""
    return {"state": JobState.QUEUED}


def running(attempt: int) -> Changes:
    """Begin an attempt."""
    return {"state": JobState.RUNNING, "attempts": attempt, "started_at": datetime.now(UTC)}


def succeeded(value: object, *, limit: int) -> Changes:
    """End with a result.

    Raises:
        ResultTooLargeError: the result has more bytes than the limit.
        ValueError: the result cannot be written as JSON.
    """
    text = ANYTHING.dump_json(value)
    if len(text) > limit:
        raise ResultTooLargeError(limit)
    return {
        "state": JobState.SUCCEEDED,
        "finished_at": datetime.now(UTC),
        "result": json.loads(text),
    }


def failed(job_id: UUID, request_id: str, error: ProblemError) -> Changes:
    """End with a problem."""
    problem = JobProblem.of(error, instance=f"{JOBS_PATH}/{job_id}", request_id=request_id or None)
    return {"state": JobState.FAILED, "finished_at": datetime.now(UTC), "problem": problem}

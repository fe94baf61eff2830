"""How many jobs run at a time, for how long, and how often they are tried."""

from datetime import timedelta
from typing import Annotated

from pydantic import Field, ValidationInfo, field_validator

from app.redis import RedisSettings

Seconds = Annotated[float, Field(gt=0)]
Lifetime = Annotated[timedelta, Field(ge=timedelta(minutes=1))]


class JobSettings(RedisSettings):
    """How jobs are run; all times but the lifetime are in seconds."""

    job_concurrency: int = Field(default=10, ge=1)
    job_queue_limit: int = Field(default=1000, ge=1)
    job_time_limit: Seconds = 300
    job_idle_timeout: Seconds = 360
    job_max_attempts: int = Field(default=6, ge=1)
    job_retry_delay: Seconds = 2
    job_retry_delay_limit: Seconds = 60
    job_lifetime: Lifetime = timedelta(days=1)
    job_result_limit: int = Field(default=64 * 1024, ge=1)

    @field_validator("job_idle_timeout")
    @classmethod
    def require_patience(cls, timeout: float, info: ValidationInfo) -> float:
        """Refuse to take a job away from a worker that may still be at it."""
        if timeout <= info.data.get("job_time_limit", 0):
            raise ValueError("must be above JOB_TIME_LIMIT: a running job would start once more")
        return timeout

    @field_validator("job_retry_delay_limit")
    @classmethod
    def require_short_delays(cls, limit: float, info: ValidationInfo) -> float:
        """Refuse delays that cannot be kept: a job that waits longer is taken for abandoned."""
        if limit > info.data.get("job_idle_timeout", limit):
            raise ValueError("must not be above JOB_IDLE_TIMEOUT")
        return limit

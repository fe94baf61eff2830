from typing import Any

import pytest
from pydantic import ValidationError

from app.settings import Settings


@pytest.mark.parametrize(
    ("fault", "settings"),
    [
        ("must be above JOB_TIME_LIMIT", {"job_time_limit": 60, "job_idle_timeout": 60}),
        ("must not be above JOB_IDLE_TIMEOUT", {"job_retry_delay_limit": 361}),
        ("job_lifetime", {"job_lifetime": "PT59S"}),
        ("job_concurrency", {"job_concurrency": 0}),
        ("job_queue_limit", {"job_queue_limit": 0}),
        ("job_max_attempts", {"job_max_attempts": 0}),
    ],
)
def test_settings_that_would_lose_or_double_jobs_are_refused(
    fault: str, settings: dict[str, Any]
) -> None:
    with pytest.raises(ValidationError, match=fault):
        Settings(environment="test", **settings)

"""What can be wrong with a request about jobs."""

from app.health import RETRY_AFTER
from app.problems import ProblemError


class JobNotFoundError(ProblemError):
    """There is no such job, or not for this caller, or not any more."""

    def __init__(self) -> None:
        super().__init__(404, "There is no such job.")


class KeyReusedError(ProblemError):
    """The idempotency key belongs to another request."""

    def __init__(self) -> None:
        super().__init__(422, "The Idempotency-Key has been used for another request.")


class QueueFullError(ProblemError):
    """More jobs wait than the service is willing to keep."""

    def __init__(self) -> None:
        super().__init__(503, "Too many jobs are waiting.", headers=RETRY_AFTER)


class QueueUnavailableError(ProblemError):
    """Redis is away, so nobody knows about jobs."""

    def __init__(self) -> None:
        detail = "The service cannot reach what it depends on."
        super().__init__(503, detail, headers=RETRY_AFTER)

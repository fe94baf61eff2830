"""What a caller learns who has called too often."""

from app.limits.limiter import Usage
from app.problems import ProblemError


class TooManyRequestsError(ProblemError):
    """Nothing is left for now; `Retry-After` says in how many seconds there is."""

    def __init__(self, usage: Usage) -> None:
        detail = f"Too many requests; the next may come in {usage.reset_after} s."
        super().__init__(429, detail, headers={"Retry-After": str(usage.reset_after)})
# {% if jwt_auth %}


class TooManyAttemptsError(TooManyRequestsError):
    """The same, in the words that OAuth2 clients understand (RFC 6749, section 5.2)."""

    def __init__(self, usage: Usage) -> None:
        super().__init__(usage)
        self.extensions = {"error": "slow_down", "error_description": self.detail}
# {% endif %}

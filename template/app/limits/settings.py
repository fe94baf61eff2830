"""How often somebody may call."""

from typing import Annotated

from limits import RateLimitItem, parse
from pydantic import BeforeValidator, Field, InstanceOf, PlainSerializer
from pydantic_settings import NoDecode

from app.environment import ServiceSettings


def read_limit(value: object) -> object:
    """Read `300/minute`, or `10/5minutes`.

    Raises:
        ValueError: it is no limit, or nobody could ever call.
    """
    if not isinstance(value, str):
        return value
    try:
        limit = parse(value)
    except ValueError:
        limit = None
    if limit is None or limit.amount == 0:
        raise ValueError("must look like 300/minute or 10/5minutes, and allow at least one")
    return limit


RateLimit = Annotated[
    InstanceOf[RateLimitItem], NoDecode, BeforeValidator(read_limit), PlainSerializer(repr)
]


class LimitSettings(ServiceSettings):
    """Every limit is a number of requests in a time; each caller has it to itself."""

    rate_limit: RateLimit = Field(default="300/minute", validate_default=True)
    # {% if jwt_auth %}
    login_limit_per_address: RateLimit = Field(default="60/minute", validate_default=True)
    login_limit_per_account_and_address: RateLimit = Field(
        default="10/10minutes", validate_default=True
    )
    login_limit_per_account: RateLimit = Field(default="100/10minutes", validate_default=True)
    # {% endif %}

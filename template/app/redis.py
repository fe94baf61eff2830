"""Redis, through which the processes of the service share what they know."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog
from fastapi import FastAPI
from pydantic import Field, SecretStr, ValidationInfo, field_validator
from redis.asyncio import Connection, Redis
from redis.asyncio.connection import parse_url
from redis.exceptions import ConnectionError as LostConnectionError

from app.environment import ServiceSettings
from app.project import PROJECT

EXAMPLE = "redis://user:password@host:6379/0"
TIMEOUT_SECONDS = 2

logger = structlog.stdlib.get_logger(__name__)


class RedisSettings(ServiceSettings):
    """The address may hold a password; without one, each process keeps to itself."""

    redis_verify_certificate: bool = True
    redis_url: SecretStr = Field(default=SecretStr(""), validate_default=True)
    redis_namespace: str = Field(
        default=PROJECT["slug"], validate_default=False, pattern=r"^[A-Za-z0-9._-]{1,64}$"
    )

    @field_validator("redis_url")
    @classmethod
    def require_known_address(cls, url: SecretStr) -> SecretStr:
        """Accept what redis-py accepts: redis://, rediss:// for TLS, unix:// for a socket."""
        if url:
            try:
                parse_url(url.get_secret_value())
            except ValueError:
                message = f"must look like {EXAMPLE}, with rediss:// for TLS"
                raise ValueError(message) from None
        return url

    @field_validator("redis_url")
    @classmethod
    def carry_the_trust(cls, url: SecretStr, info: ValidationInfo) -> SecretStr:
        """Write into the address, which all clients read, that any certificate will do."""
        address = url.get_secret_value()
        verify = info.data.get("redis_verify_certificate", True)
        if verify or not address.startswith("rediss://") or "ssl_cert_reqs=" in address:
            return url
        return SecretStr(f"{address}{'&' if '?' in address else '?'}ssl_cert_reqs=none")
    # {% if background_tasks or caching or websockets %}

    @field_validator("redis_url")
    @classmethod
    def require_redis_between_processes(cls, url: SecretStr, info: ValidationInfo) -> SecretStr:
        """Refuse several processes that do not know of each other."""
        if not url and info.data.get("workers", 1) > 1:
            message = f"is missing, and WORKERS is above 1: let them share {EXAMPLE}, or run one"
            raise ValueError(message)
        return url
    # {% endif %}


@asynccontextmanager
async def open_redis(app: FastAPI, settings: RedisSettings) -> AsyncIterator[None]:
    """Let the service use Redis as `app.state.redis`, which is None where no address is set."""
    app.state.redis = None
    if not settings.redis_url:
        logger.info("redis_is_not_set", consequence="this process shares nothing with others")
        yield
        return
    async with create_client(settings) as client:
        app.state.redis = client
        app.state.readiness.checks["redis"] = client.ping
        app.state.readiness.optional.add("redis")
        yield


class TcpConnection(Connection):
    """A connection of redis-py's that knows when it is lost.

    Python 3.12, 3.13 before 3.13.10, and 3.14.0 raise an AttributeError or a TypeError when one
    that was reset is written to, and redis-py 8.1 passes that on (its issue 4287).
    """

    async def can_read(self) -> bool:
        """Whether an answer was left in it; the pool asks before it lends the connection.

        Raises:
            LostConnectionError: it was closed or reset, so the pool opens it anew.
        """
        if self._reader and self._writer and (self._reader.at_eof() or self._writer.is_closing()):
            raise LostConnectionError("Redis has closed the connection.")
        return await super().can_read()


def create_client(settings: RedisSettings) -> Redis:
    """Describe how to connect; the first use does."""
    return Redis.from_url(
        settings.redis_url.get_secret_value(),
        connection_class=TcpConnection,
        decode_responses=True,
        socket_connect_timeout=TIMEOUT_SECONDS,
        socket_timeout=TIMEOUT_SECONDS,
    )

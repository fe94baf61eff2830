"""Go on without Redis: nobody waits for it once it has failed, until it answers again."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import structlog
from fastapi import FastAPI
from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from app.redis import RedisSettings, TcpConnection

TIME_LIMIT_SECONDS = 0.5
PROBE_SECONDS = 1.0
CONNECTIONS = 20

logger = structlog.stdlib.get_logger(__name__)


class RedisAwayError(Exception):
    """Redis does not answer, or has just failed to; the caller does without."""


class RedisWatch:
    """Whether Redis can be used now.

    The first failure turns everybody away, and a task asks Redis every `PROBE_SECONDS` whether it
    is back. What `before_return` lists is done first then.
    """

    def __init__(self, settings: RedisSettings) -> None:
        # A connection that Redis has closed since its last use is opened anew, once and at once.
        self.retry = Retry(NoBackoff(), 1)
        self.pool = BlockingConnectionPool.from_url(
            settings.redis_url.get_secret_value(),
            connection_class=TcpConnection,
            max_connections=CONNECTIONS,
            timeout=TIME_LIMIT_SECONDS,
            socket_timeout=None,  # `use` has a limit for the whole, which costs less
            retry=self.retry,
        )
        self.before_return: list[Callable[[], Awaitable[object]]] = []
        self.probe: asyncio.Task[None] | None = None

    @asynccontextmanager
    async def use(self, *failures: type[Exception]) -> AsyncIterator[None]:
        """Let the block use Redis, for at most `TIME_LIMIT_SECONDS`.

        `failures` are what a library raises in place of redis-py's errors.

        Raises:
            RedisAwayError: it failed, or it was away already and the block has not run.
        """
        if self.probe:
            raise RedisAwayError
        expected: tuple[type[Exception], ...] = (RedisError, OSError, *failures)
        try:
            async with asyncio.timeout(TIME_LIMIT_SECONDS):
                yield
        except expected as error:
            self.turn_away(error)
            raise RedisAwayError from error

    def turn_away(self, error: Exception) -> None:
        """Stop using Redis, and say so once."""
        if not self.probe:
            logger.warning(
                "redis_is_away",
                error=repr(error),
                consequence="this process shares nothing with others until it is back",
            )
            self.probe = asyncio.create_task(self.wait_until_back())

    async def wait_until_back(self) -> None:
        """Ask Redis until it answers, and let it be used again."""
        while True:
            await asyncio.sleep(PROBE_SECONDS)
            if await self.answers():
                break
        logger.info("redis_is_back")
        self.probe = None

    async def answers(self) -> bool:
        """Make sure that Redis answers, and do what must be done before it is used."""
        try:
            async with asyncio.timeout(TIME_LIMIT_SECONDS):
                await Redis(connection_pool=self.pool).ping()
            for step in self.before_return:
                await step()
        except Exception:  # noqa: BLE001  whatever it is, Redis is not ready
            return False
        return True

    async def close(self) -> None:
        """Stop asking, and hang up."""
        if self.probe:
            self.probe.cancel()
        await self.pool.disconnect()


@asynccontextmanager
async def open_redis_watch(app: FastAPI, settings: RedisSettings) -> AsyncIterator[None]:
    """Watch Redis as `app.state.redis_watch`, which is None where no address is set."""
    app.state.redis_watch = RedisWatch(settings) if settings.redis_url else None
    try:
        yield
    finally:
        if app.state.redis_watch:
            await app.state.redis_watch.close()

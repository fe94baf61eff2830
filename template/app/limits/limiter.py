"""Count calls in a sliding window: in Redis for all processes, or in the memory of this one."""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from math import ceil
from time import time
from typing import TypeVar

from limits import RateLimitItem
from limits.aio.storage import MemoryStorage, RedisStorage
from limits.aio.strategies import SlidingWindowCounterRateLimiter
from starlette.types import Scope

from app.redis_watch import RedisAwayError, RedisWatch

T = TypeVar("T")

# Some 20 MB.
MAX_COUNTERS = 50_000


@dataclass(frozen=True)
class Usage:
    """What a caller has used of a limit; `reset_after` seconds from now, there is more."""

    limit: RateLimitItem
    allowed: bool
    remaining: int
    reset_after: int


class BoundedMemoryStorage(MemoryStorage):
    """The library's storage, save that it forgets the oldest counters when there are too many.

    The library walks through all counters at each call, to find those that have expired.
    """

    async def incr(self, key: str, expiry: float, amount: int = 1) -> int:
        """Add to a counter, which begins at nothing and lasts `expiry` seconds."""
        count = await self.get(key) + amount
        self.storage[key] = count
        self.expirations.setdefault(key, time() + expiry)
        while len(self.expirations) > MAX_COUNTERS:
            await self.clear(next(iter(self.expirations)))
        return count


class Limiter:
    """Count what callers use of their limits; a key is the name of a limit, and whose it is.

    While Redis is away each process counts for itself, from nothing.
    """

    def __init__(self) -> None:
        self.memory = SlidingWindowCounterRateLimiter(BoundedMemoryStorage())
        self.shared: SlidingWindowCounterRateLimiter | None = None
        self.watch: RedisWatch | None = None

    def share(self, watch: RedisWatch, namespace: str) -> None:
        """Count in Redis from now on, whenever it can be used."""
        storage = RedisStorage(
            "redis://",  # the library wants one, and then takes what the pool is connected to
            implementation="redispy",
            key_prefix=f"{namespace}:limits",
            connection_pool=watch.pool,  # type: ignore[arg-type]
        )
        self.shared = SlidingWindowCounterRateLimiter(storage)
        self.watch = watch

    async def hit(self, limit: RateLimitItem, *key: str) -> Usage:
        """Count one call, unless none is left."""

        async def count(counter: SlidingWindowCounterRateLimiter) -> Usage:
            allowed = await counter.hit(limit, *key)
            reset_time, remaining = await counter.get_window_stats(limit, *key)
            return Usage(limit, allowed, remaining, max(1, ceil(reset_time - time())))

        return await self.ask(count)

    async def is_used_up(self, limit: RateLimitItem, *key: str) -> bool:
        """Whether no call is left."""
        return not await self.ask(lambda counter: counter.test(limit, *key))

    async def forget(self, limit: RateLimitItem, *key: str) -> None:
        """Begin anew."""
        await self.ask(lambda counter: counter.clear(limit, *key))

    async def ask(self, question: Callable[[SlidingWindowCounterRateLimiter], Awaitable[T]]) -> T:
        """Ask Redis, or the memory of this process."""
        if self.watch and self.shared:
            with suppress(RedisAwayError):
                async with self.watch.use():
                    return await question(self.shared)
        return await question(self.memory)


def limiter_of(scope: Scope) -> Limiter:
    """Find the limiter of the service that the request came to."""
    limiter: Limiter = scope["app"].state.limiter
    return limiter

"""Answers that are kept: in Redis for all processes, or in the memory of this one."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext, suppress
from dataclasses import dataclass
from hashlib import sha256
from uuid import uuid4

from cashews import Cache, CacheBackendInteractionError
from fastapi import FastAPI

from app.cache.settings import CacheSettings
from app.redis import TcpConnection
from app.redis_watch import TIME_LIMIT_SECONDS, RedisAwayError, RedisWatch

DAY_SECONDS = 24 * 60 * 60
# In memory, this times CACHE_MAX_ENTRIES is the most that is used.
MAX_ANSWER_BYTES = 64 * 1024


@dataclass(frozen=True)
class Shelf:
    """What an owner sees of a collection, such as items; a write makes all of it void."""

    collection: str
    owner: str = "everybody"

    @property
    def name(self) -> str:
        """Write it as a part of a key."""
        return f"{self.collection}:{self.owner}"


class Answers:
    """Bodies of answers, by shelf and URL, each with the version that its shelf had.

    A version is a random name that a shelf has until it is void. Whoever makes an answer asks for
    the version first and reads the database then. So an answer that was read before a write, and
    is kept after it, bears a version that is no more.
    """

    def __init__(self, settings: CacheSettings, watch: RedisWatch | None) -> None:
        self.lifetime = settings.cache_lifetime
        self.prefix = f"{settings.redis_namespace}:cache"
        self.watch = watch
        self.missed = 0
        self.cache = Cache()
        if watch:
            self.cache.setup(
                "redis://",
                address=settings.redis_url.get_secret_value(),
                suppress=False,
                connection_class=TcpConnection,
                socket_timeout=TIME_LIMIT_SECONDS,
                retry=watch.retry,
                # Whoever can write to Redis must not be able to run code here.
                pickle_type="null",
                check_repr=False,
            )
            watch.before_return.append(self.make_up_for_missed)
        else:
            self.cache.setup("mem://", size=settings.cache_max_entries, check_interval=60)

    async def find(self, shelf: Shelf, url: str) -> tuple[bytes | None, bytes | None]:
        """Give the version of the shelf, and the answer if there is one that bears it.

        Without a version, nothing can be kept now.
        """
        key = self.version_key(shelf)
        with suppress(RedisAwayError):
            async with self.use():
                version, entry = await self.cache.get_many(key, self.answer_key(shelf, url))
                if version is None:
                    fresh = uuid4().hex.encode()
                    # Of several that do this at the same time, one wins.
                    await self.cache.set(key, fresh, expire=DAY_SECONDS, exist=False)
                    version = await self.cache.get(key)
                bears, _, body = (entry or b"").partition(b"\n")
                return version, body if bears == version else None
        return None, None

    async def keep(self, shelf: Shelf, url: str, version: bytes, body: bytes) -> None:
        """Keep an answer that was made after the version had been asked for."""
        if len(body) <= MAX_ANSWER_BYTES:
            with suppress(RedisAwayError):
                async with self.use():
                    key, entry = self.answer_key(shelf, url), version + b"\n" + body
                    await self.cache.set(key, entry, expire=self.lifetime)

    async def void(self, shelf: Shelf) -> None:
        """End all answers of a shelf; call it when a write has been committed."""
        try:
            async with self.use():
                await self.cache.delete(self.version_key(shelf))
        except RedisAwayError:
            self.missed += 1

    async def make_up_for_missed(self) -> None:
        """End all answers of all shelves, if Redis was away when some of them should have ended."""
        while missed := self.missed:
            await self.cache.delete_match(f"{self.prefix}:version:*")
            self.missed -= missed

    def use(self) -> AbstractAsyncContextManager[None]:
        """Let the block use the cache, where it is."""
        return self.watch.use(CacheBackendInteractionError) if self.watch else nullcontext()

    def version_key(self, shelf: Shelf) -> str:
        """Name the place of a version."""
        return f"{self.prefix}:version:{shelf.name}"

    def answer_key(self, shelf: Shelf, url: str) -> str:
        """Name the place of an answer."""
        return f"{self.prefix}:answer:{shelf.name}:{sha256(url.encode()).hexdigest()}"


@asynccontextmanager
async def open_cache(app: FastAPI, settings: CacheSettings) -> AsyncIterator[None]:
    """Let the service keep answers as `app.state.answers`."""
    answers = Answers(settings, app.state.redis_watch)
    app.state.answers = answers
    await answers.cache.init()
    try:
        yield
    finally:
        await answers.cache.close()

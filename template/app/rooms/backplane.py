"""Carry what is said from process to process, through Redis: pub/sub, at most once.

Members of the same process hear each other without it. What is said while Redis is away stays in
the process; what a sender says arrives in order.
"""

import asyncio
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from uuid import uuid4

import structlog
from redis.asyncio import Redis
from redis.asyncio.client import PubSub
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialWithJitterBackoff, NoBackoff

from app.concurrency import end, together

WAIT_SECONDS = 1
"""For how long a member who joins waits for the room's messages from elsewhere."""

SILENCE_SECONDS = 2
"""How often Redis is asked whether it is there; twice as long without a word, and it is not."""

LONGEST_PAUSE = 5
QUEUE_SIZE = 10_000

logger = structlog.stdlib.get_logger(__name__)


class Backplane:
    """A connection to publish with and one to listen with, to the rooms that have members here."""

    def __init__(self, redis: Redis, namespace: str, deliver: Callable[[str, str], None]) -> None:
        # What was sent twice would be heard twice.
        redis.set_retry(Retry(NoBackoff(), 0))
        self.redis = redis
        self.prefix = f"{namespace}:rooms:"
        self.deliver = deliver
        self.origin = uuid4().hex
        self.queue: asyncio.Queue[tuple[str, str]] = asyncio.Queue(QUEUE_SIZE)
        self.wanted: Counter[str] = Counter()
        self.wanted_changed = asyncio.Event()
        self.heard: defaultdict[str, asyncio.Event] = defaultdict(asyncio.Event)
        self.failures = 0

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[None]:
        """Publish and listen in the background."""
        task = asyncio.create_task(together(self.keep_publishing(), self.keep_listening()))
        try:
            yield
        finally:
            await end(task)

    @asynccontextmanager
    async def follow(self, room: str) -> AsyncIterator[None]:
        """Hear what is said in the room elsewhere; at once, unless Redis is away."""
        self.wanted[room] += 1
        self.wanted_changed.set()
        try:
            if not self.failures:
                with suppress(TimeoutError):
                    async with asyncio.timeout(WAIT_SECONDS):
                        await self.heard[room].wait()
            yield
        finally:
            self.wanted[room] -= 1
            if not self.wanted[room]:
                del self.wanted[room]
            self.wanted_changed.set()

    def publish(self, room: str, text: str) -> None:
        """Queue the text for the other processes, without waiting; unless Redis is away."""
        if self.failures:
            return
        try:
            self.queue.put_nowait((self.prefix + room, f"{self.origin} {text}"))
        except asyncio.QueueFull:
            logger.warning("room_messages_not_carried", count=1, error="the queue is full")

    async def keep_publishing(self) -> None:
        """Send what is queued, many at a time; what Redis does not take is dropped."""
        while True:
            batch = [await self.queue.get()]
            while not self.queue.empty():
                batch.append(self.queue.get_nowait())
            try:
                async with self.redis.pipeline(transaction=False) as pipeline:
                    for channel, text in batch:
                        pipeline.publish(channel, text)
                    await pipeline.execute()
            except Exception as error:  # noqa: BLE001  whatever it is, the next may pass
                logger.warning("room_messages_not_carried", count=len(batch), error=repr(error))

    async def keep_listening(self) -> None:
        """Listen, and begin anew whenever Redis has been away."""
        backoff = ExponentialWithJitterBackoff(base=0.1, cap=LONGEST_PAUSE)
        while True:
            try:
                async with self.redis.pubsub() as pubsub:
                    # Nobody's room: it keeps the connection open while there is none.
                    await pubsub.subscribe(self.prefix)
                    await together(self.subscribe(pubsub), self.listen(pubsub))
            except Exception as error:  # noqa: BLE001  as above
                self.failures += 1
                self.heard.clear()
                logger.warning("rooms_are_apart", error=repr(error))
            # A higher power of two would be too much for a float, after an hour or so.
            await asyncio.sleep(backoff.compute(min(self.failures, 10)))

    async def subscribe(self, pubsub: PubSub) -> None:
        """Keep the subscriptions equal to what is wanted, and the connection awake."""
        current = {""}
        while True:
            self.wanted_changed.clear()
            wanted = {"", *self.wanted}
            if come := wanted - current:
                await pubsub.subscribe(*(self.prefix + room for room in come))
            if gone := current - wanted:
                await pubsub.unsubscribe(*(self.prefix + room for room in gone))
            current = wanted
            for room in self.heard.keys() - wanted:
                del self.heard[room]
            try:
                async with asyncio.timeout(SILENCE_SECONDS):
                    await self.wanted_changed.wait()
            except TimeoutError:
                await pubsub.ping()

    async def listen(self, pubsub: PubSub) -> None:
        """Deliver what other processes publish."""
        while True:
            message = await pubsub.get_message(timeout=2 * SILENCE_SECONDS)
            if message is None:
                raise TimeoutError("Redis does not answer")
            room = (message["channel"] or "").removeprefix(self.prefix)
            if message["type"] == "subscribe":
                if self.failures:
                    logger.info("rooms_are_together")
                self.failures = 0
                self.heard[room].set()
            elif message["type"] == "message":
                origin, _, text = message["data"].partition(" ")
                if origin != self.origin:
                    self.deliver(room, text)

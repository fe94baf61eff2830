"""A queue in Redis, for any number of web processes and workers."""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import suppress
from functools import partial
from time import monotonic
from typing import Any
from uuid import UUID

import structlog
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.commands.core import AsyncScript
from redis.exceptions import ConnectionError as LostConnectionError
from redis.exceptions import RedisError, ResponseError
from taskiq import AckableMessage
from taskiq.message import BrokerMessage
from taskiq_redis import RedisStreamBroker

from app.jobs import redis_scripts
from app.jobs.broker import Delivery, JobBroker, new_job
from app.jobs.outcomes import ANYTHING, Changes, failed, queued
from app.jobs.problems import QueueFullError
from app.jobs.schemas import Job, JobState
from app.jobs.settings import JobSettings
from app.problems import ProblemError
from app.redis import TIMEOUT_SECONDS, TcpConnection

GROUP = "workers"
FIRST_ENTRY = "0"
RECONNECT_SECONDS = 1.0

logger = structlog.stdlib.get_logger(__name__)


class RedisBroker(RedisStreamBroker, JobBroker):
    """Taskiq's broker for Redis Streams, with records, and with nothing that could lose a job.

    Taskiq's own looks for abandoned jobs only when new ones come, ends when Redis is away, and
    begins a stream at its end, so that what was sent before the first worker came is skipped.
    """

    def __init__(self, settings: JobSettings) -> None:
        self.prefix = f"{settings.redis_namespace}:jobs:"
        super().__init__(
            settings.redis_url.get_secret_value(),
            queue_name=f"{self.prefix}queue",
            consumer_group_name=GROUP,
            consumer_id=FIRST_ENTRY,
            connection_class=TcpConnection,
            decode_responses=True,
            legacy_responses=False,
            socket_connect_timeout=TIMEOUT_SECONDS,
            socket_timeout=TIMEOUT_SECONDS,
            # A connection may be left from before Redis was restarted.
            retry=Retry(NoBackoff(), 1, supported_errors=(LostConnectionError,)),
        )
        self.settings = settings
        self.idle_milliseconds = int(settings.job_idle_timeout * 1000)
        # How long a worker listens for new jobs before it looks for abandoned ones.
        self.patience = min(1.0, settings.job_idle_timeout / 10)
        self.claim_at = 0.0
        self.running: set[str] = set()
        self.client = Redis(connection_pool=self.connection_pool)
        self.add = self.client.register_script(redis_scripts.ADD)
        self.claim = self.client.register_script(redis_scripts.CLAIM)
        self.change = self.client.register_script(redis_scripts.CHANGE)
        self.end = self.client.register_script(redis_scripts.FINISH)
        self.delay = self.client.register_script(redis_scripts.POSTPONE)
        self.forget_consumers = self.client.register_script(redis_scripts.FORGET_CONSUMERS)

    async def startup(self) -> None:
        """Start, even while Redis is away."""
        with suppress(RedisError):
            await super().startup()

    async def kick(self, message: BrokerMessage) -> None:
        """Add a job, unless it is known already.

        Raises:
            QueueFullError: too many are waiting.
            redis.exceptions.RedisError: Redis is away.
        """
        job = new_job(message)
        limit = self.settings.job_queue_limit
        added = await self.add(
            keys=[self.record(job.id), self.queue_name],
            args=[limit, str(job.id), message.message, *fields(job.model_dump(exclude_none=True))],
        )
        if added == "full":
            raise QueueFullError

    async def listen(self) -> AsyncGenerator[AckableMessage, None]:
        """Deliver abandoned and postponed jobs, and new ones, for as long as Redis takes."""
        declared = False
        # To be cancelled is not enough: see app/concurrency.py.
        while not self.stop.is_set():
            try:
                if not declared:
                    await self.declare_group()
                    declared = True
                taken = await self.take()
            except RedisError as error:
                logger.warning("queue_unavailable", error=repr(error))
                declared = False
                await asyncio.sleep(RECONNECT_SECONDS)
                continue
            try:
                while taken:
                    delivery, message = taken.pop()
                    self.running.add(delivery.entry)
                    # Lifecycle ends jobs; Taskiq acknowledges only what it cannot run.
                    refuse = partial(self.refuse, delivery)
                    yield AckableMessage(data=delivery.stamp(message), ack=refuse)
            finally:
                # The worker stops, and does not wait for a Redis that is away.
                with suppress(TimeoutError):
                    async with asyncio.timeout(TIMEOUT_SECONDS):
                        for delivery, _ in taken:
                            await self.give_back(delivery)

    async def declare_group(self) -> None:
        """Let workers share the queue, from its very beginning."""
        try:
            await self.client.xgroup_create(self.queue_name, GROUP, id=FIRST_ENTRY, mkstream=True)
        except ResponseError as error:
            if not str(error).startswith("BUSYGROUP"):
                raise

    async def take(self) -> list[tuple[Delivery, str]]:
        """Look for a job that is due again, then wait a moment for as many new ones as can run."""
        if monotonic() >= self.claim_at:
            claimed = await self.claim(
                keys=[self.queue_name], args=[GROUP, self.consumer_name, self.idle_milliseconds]
            )
            if claimed:
                entry, pairs, attempt = claimed
                content = dict(zip(pairs[::2], pairs[1::2], strict=True))
                delivery = Delivery(UUID(content["job"]), entry, attempt)
                if attempt <= self.settings.job_max_attempts:
                    return [(delivery, content["message"])]
                await self.give_up(delivery)
                return []
            self.claim_at = monotonic() + self.patience
        fresh: Any = await self.client.xreadgroup(
            GROUP,
            self.consumer_name,
            {self.queue_name: ">"},
            count=max(1, self.settings.job_concurrency - len(self.running)),
            block=int(self.patience * 1000),
        )
        return [
            (Delivery(UUID(content["job"]), entry, attempt=1), content["message"])
            for entry, content in reversed(fresh.get(self.queue_name, []))
        ]

    async def give_up(self, delivery: Delivery) -> None:
        """End a job that was begun as often as it may be, and never came to an end."""
        times = delivery.attempt - 1
        logger.error("job_given_up", job_id=str(delivery.job_id), attempts=times)
        error = ProblemError(500, f"The job was begun {times} times and never ended.")
        await self.finish(delivery, failed(delivery.job_id, "", error))

    async def refuse(self, delivery: Delivery) -> None:
        """Leave a job to workers that know its task, such as those of a newer release."""
        delay = self.settings.job_retry_delay_limit
        await self.postpone(delivery, queued(), seconds=delay)

    async def find(self, job_id: UUID) -> Job | None:
        """Read the record of a job."""
        record = await self.client.hgetall(self.record(job_id))
        if not record:
            return None
        return Job.model_validate({name: json.loads(text) for name, text in record.items()})

    async def backlog(self) -> int:
        """Count the jobs that are not finished."""
        return int(await self.client.xlen(self.queue_name))

    async def begin(self, delivery: Delivery, changes: Changes) -> None:
        """Note that an attempt begins; the work does not wait for it."""
        try:
            await self.change(keys=[self.record(delivery.job_id)], args=fields(changes))
        except RedisError as error:
            logger.warning("job_not_noted", error=repr(error))

    async def finish(self, delivery: Delivery, changes: Changes) -> None:
        """Write the end of a job, and take it off the queue."""
        lifetime = int(self.settings.job_lifetime.total_seconds() * 1000)
        await self.write(self.end, delivery, GROUP, delivery.entry, lifetime, *fields(changes))

    async def postpone(self, delivery: Delivery, changes: Changes, *, seconds: float) -> None:
        """Let a job be delivered again after some time."""
        idle = max(0, self.idle_milliseconds - int(seconds * 1000))
        await self.requeue(delivery, changes, idle=idle, attempts=delivery.attempt)

    async def give_back(self, delivery: Delivery) -> JobState:
        """Let another worker do at once what this one cannot finish, as if it had not begun."""
        idle = self.idle_milliseconds
        await self.requeue(delivery, queued(), idle=idle, attempts=delivery.attempt - 1)
        return JobState.QUEUED

    async def requeue(
        self, delivery: Delivery, changes: Changes, *, idle: int, attempts: int
    ) -> None:
        """Leave a job in the queue as if it had been idle for a time, in milliseconds."""
        owned: list[str | int] = [GROUP, self.consumer_name, delivery.entry, delivery.attempt]
        await self.write(self.delay, delivery, *owned, idle, attempts, *fields(changes))

    async def write(self, script: AsyncScript, delivery: Delivery, *args: str | int) -> None:
        """Write what has become of a job; if Redis is away, as soon as it is back."""
        keys = [self.record(delivery.job_id), self.queue_name]
        while True:
            try:
                await script(keys=keys, args=list(args))
                self.running.discard(delivery.entry)
            except RedisError as error:
                logger.warning("job_not_written", error=repr(error))
                await asyncio.sleep(RECONNECT_SECONDS)
            else:
                return

    async def tidy(self) -> None:
        """Forget workers that are gone; Redis itself forgets records after their lifetime."""
        await self.forget_consumers(keys=[self.queue_name], args=[GROUP, self.idle_milliseconds])

    def record(self, job_id: UUID) -> str:
        """Name the record of a job."""
        return f"{self.prefix}{job_id}"


def fields(values: Changes) -> list[str]:
    """Write names and values in turn, each value as JSON."""
    pairs = [(name, ANYTHING.dump_json(value).decode()) for name, value in values.items()]
    return [text for pair in pairs for text in pair]

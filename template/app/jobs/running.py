"""Where jobs run: in workers if there is Redis, else in the web process."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog
from fastapi import FastAPI
from taskiq.acks import AcknowledgeType
from taskiq.api import run_scheduler_task
from taskiq.receiver import Receiver

from app.concurrency import end
from app.jobs.broker import JobBroker
from app.jobs.lifecycle import Lifecycle
from app.jobs.memory_broker import MemoryBroker
from app.jobs.redis_broker import RedisBroker
from app.jobs.schedule import JobScheduler
from app.jobs.settings import JobSettings
from app.jobs.tasks import add_tasks
from app.settings import Settings
# {% if telemetry %}
from app.telemetry.jobs import JobTraces
from app.telemetry.tracing import get_provider
# {% endif %}

# Of the time that the web process has to stop, jobs get this part: requests come first.
PATIENCE = 0.5

logger = structlog.stdlib.get_logger(__name__)


def create_broker(settings: Settings) -> JobBroker:
    """Make the queue, with all tasks; nothing is connected yet."""
    # Taskiq's own lines tell what a job is given, and that it begins.
    logging.getLogger("taskiq").setLevel(logging.WARNING)
    broker = RedisBroker(settings) if settings.redis_url else MemoryBroker(settings)
    broker.add_middlewares(
        # {% if telemetry %}
        JobTraces(settings),
        # {% endif %}
        Lifecycle(broker, settings),
        # your own below
    )
    add_tasks(broker)
    return broker


@asynccontextmanager
async def open_jobs(app: FastAPI, settings: Settings) -> AsyncIterator[None]:
    """Let requests submit jobs; without Redis, run them here, periodic ones too."""
    broker = create_broker(settings)
    app.state.jobs = broker
    # {% if database != 'none' %}
    broker.state.engine = app.state.engine
    # {% endif %}
    # {% if telemetry %}
    broker.state.provider = get_provider(app)
    # {% endif %}
    await broker.startup()
    try:
        if settings.redis_url:
            app.state.readiness.optional.discard("redis")
            yield
        else:
            logger.info("jobs_run_in_this_process", hint="REDIS_URL is unset")
            async with running_here(broker, settings):
                yield
    finally:
        await broker.shutdown()


@asynccontextmanager
async def running_here(broker: JobBroker, settings: JobSettings) -> AsyncIterator[None]:
    """Run what is submitted, and what is due, in this process."""
    stop = asyncio.Event()
    patience = settings.shutdown_timeout * PATIENCE
    worker = asyncio.create_task(run_jobs(broker, settings.job_concurrency, stop, patience))
    scheduler = asyncio.create_task(run_scheduler_task(JobScheduler(broker)))
    for task in (worker, scheduler):
        task.add_done_callback(log_failure)
    try:
        yield
    finally:
        await end(scheduler)
        stop.set()
        await worker


def log_failure(task: asyncio.Task[None]) -> None:
    """Say at once why jobs run no more: nobody waits for the task before the service stops."""
    if not task.cancelled() and (error := task.exception()):
        logger.error("jobs_run_no_more", exc_info=error)


async def run_jobs(
    broker: JobBroker, concurrency: int, stop: asyncio.Event, patience: float
) -> None:
    """Run jobs until told to stop, and wait for those that run, but not for ever.

    What then goes on is cut off when the broker is shut down.
    """
    broker.stop = stop
    receiver = Receiver(
        broker,
        ack_type=AcknowledgeType.MANUAL,
        max_async_tasks=concurrency,
        run_startup=False,
        wait_tasks_timeout=patience,
    )
    await receiver.listen(stop)

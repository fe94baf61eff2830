"""Send periodic jobs to the workers: `python -m app.jobs.scheduler`."""

import asyncio

from taskiq.api import run_scheduler_task

from app.concurrency import together
from app.jobs.processes import run_until_stopped
from app.jobs.running import create_broker
from app.jobs.schedule import JobScheduler
from app.settings import Settings


async def schedule(settings: Settings, stop: asyncio.Event) -> None:
    """Send jobs that are due until told to stop."""
    broker = create_broker(settings)
    broker.is_scheduler_process = True
    await broker.startup()
    try:
        # Should the sending fail, so does the process, for the platform to start it anew.
        await together(run_scheduler_task(JobScheduler(broker)), stop.wait())
    finally:
        await broker.shutdown()


if __name__ == "__main__":
    run_until_stopped("scheduler", schedule)

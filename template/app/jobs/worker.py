"""Run jobs in a process of its own: `python -m app.jobs.worker`."""

import asyncio

# {% if database != 'none' %}
from app.database.engine import create_engine
# {% endif %}
from app.jobs.processes import run_until_stopped
from app.jobs.running import create_broker, run_jobs
from app.settings import Settings


async def work(settings: Settings, stop: asyncio.Event) -> None:
    """Run jobs until told to stop; those that run are finished, within SHUTDOWN_TIMEOUT."""
    broker = create_broker(settings)
    broker.is_worker_process = True
    # {% if database != 'none' %}
    engine = create_engine(settings)
    broker.state.engine = engine
    # {% endif %}
    await broker.startup()
    try:
        await run_jobs(broker, settings.job_concurrency, stop, settings.shutdown_timeout)
    finally:
        await broker.shutdown()
        # {% if database != 'none' %}
        await engine.dispose()
        # {% endif %}


if __name__ == "__main__":
    run_until_stopped("worker", work)

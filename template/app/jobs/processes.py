"""Start and stop the processes that work beside the web process."""

import asyncio
import signal
from collections.abc import Awaitable, Callable

import structlog

from app.logs import configure_logging
from app.settings import Settings, get_settings

logger = structlog.stdlib.get_logger(__name__)


def run_until_stopped(name: str, run: Callable[[Settings, asyncio.Event], Awaitable[None]]) -> None:
    """Read the settings, refuse unsafe ones, and run until SIGTERM or SIGINT.

    Raises:
        SystemExit: a setting is missing or unsafe, or there is no Redis to get jobs from.
    """
    settings = get_settings()
    configure_logging(settings)
    if not settings.redis_url:
        message = f"The {name} cannot start without REDIS_URL: jobs run in the web process then."
        raise SystemExit(message)
    asyncio.run(watch(name, settings, run))


async def watch(
    name: str, settings: Settings, run: Callable[[Settings, asyncio.Event], Awaitable[None]]
) -> None:
    """Turn signals into an event."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    logger.info("process_started", process=name)
    await run(settings, stop)
    logger.info("process_stopped", process=name)

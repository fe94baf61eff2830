"""What is opened when the service starts, and closed when it stops."""

import asyncio
import multiprocessing
import signal
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import structlog
from fastapi import FastAPI

from app.features import open_features
from app.health import Readiness

logger = structlog.stdlib.get_logger(__name__)


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Open in order, and close in reverse, even when a later step fails."""
    async with AsyncExitStack() as stack:
        if is_worker():
            drain = drain_before_stop(app.state.readiness, app.state.settings.drain_seconds)
            await stack.enter_async_context(drain)
        await open_features(app, app.state.settings, stack)
        # your own below
        yield


def is_worker() -> bool:
    """Whether a main process, such as that of `python -m app`, tells this one when to stop."""
    return (
        sys.platform != "win32"
        and multiprocessing.parent_process() is not None
        and threading.current_thread() is threading.main_thread()
    )


@asynccontextmanager
async def drain_before_stop(readiness: Readiness, seconds: int) -> AsyncIterator[None]:
    """Let SIGTERM reach the server only when the service has drained.

    In the given seconds /readyz answers 503, so that a load balancer sends new requests elsewhere,
    while requests are still served. Then the features do what they do before a stop.
    """
    loop = asyncio.get_running_loop()
    told_to_stop = asyncio.Event()
    # One that has already come is still the server's: the loop hears of it in one round, and calls
    # the server's handler in the next.
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    # The loop's own handler of a signal is not called while the loop is flooded with wake-ups.
    loop.remove_signal_handler(signal.SIGTERM)
    signal.signal(signal.SIGTERM, lambda *_: loop.call_soon_threadsafe(told_to_stop.set))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])
    # Ctrl-C reaches this process as well as the main one, which answers it with SIGTERM.
    stop_server = signal.signal(signal.SIGINT, signal.SIG_IGN)

    async def drain() -> None:
        await told_to_stop.wait()
        readiness.draining.set()
        await asyncio.sleep(seconds)
        try:
            for prepare in readiness.before_stop:
                await prepare()
        except Exception:
            logger.exception("preparation_for_the_stop_failed")
        signal.signal(signal.SIGINT, stop_server)
        signal.raise_signal(signal.SIGINT)

    task = asyncio.create_task(drain())
    try:
        yield
    finally:
        task.cancel()

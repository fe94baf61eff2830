"""What is opened when the service starts, and closed when it stops."""

import asyncio
import signal
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from fastapi import FastAPI

from app.features import open_features
from app.health import Readiness


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Open in order, and close in reverse, even when a later step fails."""
    async with AsyncExitStack() as stack:
        drain_on_signal(app.state.readiness)
        await open_features(app, app.state.settings, stack)
        # your own below
        yield


def drain_on_signal(readiness: Readiness) -> None:
    """Let /readyz fail from the moment when the server announces its stop (see __main__.py)."""
    if sys.platform != "win32" and threading.current_thread() is threading.main_thread():
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGUSR1, readiness.draining.set)

"""Serve with Granian: `python -m app`, or `python -m app --reload` while you write."""

import multiprocessing
import os
import signal
import sys
from argparse import ArgumentParser
from collections.abc import Callable
from pathlib import Path
from types import FrameType

import structlog
from granian import Granian
from granian.constants import Interfaces
from granian.log import LogLevels

from app.environment import Environment
from app.logs import configure_logging, logging_config
from app.settings import Settings, get_settings

logger = structlog.stdlib.get_logger(__name__)


def main() -> None:
    """Read the settings, refuse unsafe ones, and serve until told to stop."""
    parser = ArgumentParser(prog="python -m app", description="Serve the service.")
    parser.add_argument("--reload", action="store_true", help="start anew when a file changes")
    arguments = parser.parse_args()
    settings = get_settings()
    configure_logging(settings)
    serve(settings, reload=arguments.reload)


def serve(settings: Settings, *, reload: bool) -> None:
    """Run the workers until SIGTERM or SIGINT; requests in flight are finished first."""
    server = Granian(
        "app.main:app",
        address=settings.host,
        port=settings.port,
        interface=Interfaces.ASGI,
        workers=settings.workers,
        workers_kill_timeout=settings.shutdown_timeout,
        log_dictconfig=logging_config(settings),
        log_level=LogLevels(settings.log_level.lower()),
        reload=reload,
        reload_paths=[Path(__file__).parent],
        reload_ignore_worker_failure=True,
    )
    server.on_reload(forget_modules)
    if settings.drain_seconds and sys.platform != "win32":
        stop = server.signal_handler_interrupt
        server.on_startup(lambda: drain_before_stop(settings.drain_seconds, stop))
    if settings.environment is Environment.LOCAL and settings.docs_enabled:
        logger.info("docs", url=f"http://{settings.host}:{settings.port}/docs")
    server.serve()


def forget_modules() -> None:
    """Let new workers, which are forked from this process, import the service as it is now."""
    for name in list(sys.modules):
        if name.partition(".")[0] == "app":
            del sys.modules[name]


def drain_before_stop(seconds: int, stop: Callable[..., None]) -> None:
    """Announce a stop to the workers with SIGUSR1, and serve on for some seconds.

    In that time /readyz answers 503, so that a load balancer sends new requests elsewhere.
    """

    def announce_stop(_signal: int, _frame: FrameType | None) -> None:
        for worker in multiprocessing.active_children():
            if worker.pid:
                os.kill(worker.pid, signal.SIGUSR1)
        signal.alarm(seconds)

    # Workers inherit this, and so survive an announcement that comes before they are listening.
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    signal.signal(signal.SIGALRM, stop)
    signal.signal(signal.SIGTERM, announce_stop)


if __name__ == "__main__":
    main()

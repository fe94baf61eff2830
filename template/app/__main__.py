"""Serve with Granian: `python -m app`, or `python -m app --reload` while you write."""

import os
import signal
import sys
from argparse import ArgumentParser
from functools import partial
from pathlib import Path

import structlog
from granian import Granian
from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.log import LogLevels

from app.environment import Environment
from app.logs import configure_logging, logging_config
from app.settings import Settings, get_settings
# {% if telemetry %}
from app.telemetry.workers import share_metrics
# {% endif %}

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
        workers_kill_timeout=settings.drain_seconds + settings.shutdown_timeout,
        respawn_failed_workers=True,
        backlog=settings.backlog,
        backpressure=settings.max_connections,
        # To the others, a connection on which nothing is ever sent is no reason to close it.
        http=HTTPModes.http1,
        http1_settings=HTTP1Settings(header_read_timeout=settings.keep_alive_seconds * 1000),
        log_dictconfig=logging_config(settings),
        log_level=LogLevels(settings.log_level.lower()),
        reload=reload,
        reload_paths=[Path(__file__).parent],
        reload_ignore_worker_failure=True,
    )
    server.on_reload(forget_modules)
    let_a_stop_through()
    # {% if telemetry %}
    share_metrics(server, settings)
    # {% endif %}
    if settings.environment is Environment.LOCAL and settings.docs_enabled:
        logger.info("docs", url=f"http://{settings.host}:{settings.port}/docs")
    try:
        server.serve()
    except SystemExit:
        # A platform may signal workers, too; one that ends before Granian asks it to is no failure.
        if not server.interrupt_signal:
            raise


def let_a_stop_through() -> None:
    """Let SIGTERM end workers that still start: they inherit a handler that does nothing there."""
    if sys.platform == "win32":
        return
    block = partial(signal.pthread_sigmask, signal.SIG_BLOCK, [signal.SIGTERM])
    unblock = partial(signal.pthread_sigmask, signal.SIG_UNBLOCK, [signal.SIGTERM])

    def end_at_once() -> None:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        unblock()

    os.register_at_fork(before=block, after_in_parent=unblock, after_in_child=end_at_once)


def forget_modules() -> None:
    """Let new workers, which are forked from this process, import the service as it is now."""
    for name in list(sys.modules):
        if name.partition(".")[0] == "app":
            del sys.modules[name]


if __name__ == "__main__":
    main()

"""Serve with Granian: `python -m app`, or `python -m app --reload` while you write."""

import errno
import os
import signal
import socket
import sys
from argparse import ArgumentParser
from functools import partial
from pathlib import Path

import structlog
from granian import Granian
from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.log import LogLevels

from app.environment import Environment, in_url
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
        address=find_address(settings.host, settings.port),
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
        logger.info("docs", url=f"http://{in_url(settings.host)}:{settings.port}/docs")
    try:
        server.serve()
    except SystemExit:
        # A platform may signal workers, too; one that ends before Granian asks it to is no failure.
        if not server.interrupt_signal:
            raise


def find_address(host: str, port: int) -> str:
    """Resolve the host, and make sure that the port can be opened there.

    Raises:
        SystemExit: it cannot; the message says what to set.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        message = f"HOST {host} cannot be resolved. Set HOST to an address, such as 127.0.0.1."
        raise SystemExit(message) from None
    family, _, _, _, address = min(found, key=lambda each: each[0] != socket.AF_INET)
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        if sys.platform != "win32":
            # as the server does: connections that were closed a moment ago do not count
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(address)
        except OSError as error:
            raise SystemExit(explain_refusal(error, host, port)) from None
    return str(address[0])


def explain_refusal(error: OSError, host: str, port: int) -> str:
    """Say what is wrong with the address, and what to do."""
    match error.errno:
        case errno.EADDRINUSE:
            return f"PORT {port} is in use. Stop the other process or set PORT."
        case errno.EACCES:
            return f"PORT {port} needs more rights than you have. Set PORT to 1024 or above."
        case errno.EADDRNOTAVAIL:
            return f"HOST {host} is no address of this machine. Set HOST, for example to 127.0.0.1."
        case _:
            return f"HOST {host} and PORT {port} cannot be used: {error.strerror}. Set others."


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

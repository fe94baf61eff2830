import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx2
import pytest

from app.__main__ import find_address
from app.health import Readiness
from app.lifespan import drain_before_stop
# {% if background_tasks or caching or websockets %}
from tests.redis import SERVER
# {% endif %}

PROJECT_ROOT = Path(__file__).parent.parent
WORKERS = "2"
# {% if background_tasks or caching or websockets %}
if not SERVER:
    WORKERS = "1"
# {% endif %}
PROGRAM = """
import asyncio
from app.__main__ import main
from app.main import app

@app.get("/slow")
async def slow() -> str:
    await asyncio.sleep(1)
    return "done"

if __name__ == "__main__":
    main()
"""


class Server:
    """A service with a slow route, in processes of its own."""

    def __init__(self, program: Path, **settings: str) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        self.address = f"http://127.0.0.1:{port}"
        self.process = spawn(str(program), **settings, PORT=str(port))
        deadline = time.monotonic() + 20
        while not self.answers("/livez"):
            assert self.process.poll() is None, "the server has stopped"
            assert time.monotonic() < deadline, "the server does not answer"
            time.sleep(0.1)

    def answers(self, path: str) -> int | None:
        """Give the status, or none when nobody listens."""
        try:
            return httpx2.get(self.address + path, timeout=10).status_code
        except httpx2.TransportError:
            return None

    def log(self) -> list[dict[str, Any]]:
        """Read the whole log of a server that stops."""
        output, _ = self.process.communicate(timeout=60)
        return [json.loads(line) for line in output.splitlines()]


def spawn(*arguments: str, **settings: str) -> subprocess.Popen[str]:
    """Start Python, with the service at hand, in a group of processes of its own."""
    return subprocess.Popen(
        [sys.executable, *arguments],
        env=os.environ | settings | {"PYTHONPATH": str(PROJECT_ROOT)},
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


@pytest.fixture
def start_server(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """Start servers, none of which outlives the test."""
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    servers: list[Server] = []

    def start(**settings: str) -> Server:
        servers.append(Server(program, **settings))
        return servers[-1]

    yield start
    for server in servers:
        kill(server.process)


def kill(process: subprocess.Popen[str]) -> None:
    """End what is left of a group of processes."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_finishes_what_is_in_flight(
    start_server: Callable[..., Server], stop: signal.Signals
) -> None:
    server = start_server()
    with ThreadPoolExecutor() as pool:
        in_flight = pool.submit(server.answers, "/slow")
        time.sleep(0.5)
        server.process.send_signal(stop)
        assert in_flight.result() == 200
    log = server.log()
    assert server.process.returncode == 0
    assert {"app.middleware", "_granian"} <= {line["logger"] for line in log}


@pytest.mark.parametrize("tell", [os.kill, os.killpg], ids=["main-process", "all-processes"])
def test_a_server_that_drains_is_not_ready_but_serves(
    start_server: Callable[..., Server], tell: Callable[[int, signal.Signals], None]
) -> None:
    server = start_server(DRAIN_SECONDS="3", WORKERS=WORKERS)
    assert server.answers("/readyz") == 200
    tell(server.process.pid, signal.SIGTERM)
    deadline = time.monotonic() + 2.5
    while [server.answers("/readyz") for _ in range(4)] != [503] * 4:
        assert time.monotonic() < deadline, "the server does not drain"
    assert server.answers("/slow") == 200
    server.log()
    assert server.process.returncode == 0


def test_a_stop_that_comes_while_a_worker_starts_reaches_the_server() -> None:
    async def start() -> None:
        server_stops = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, server_stops.set)
        signal.raise_signal(signal.SIGTERM)
        async with drain_before_stop(Readiness(), 0):
            await asyncio.wait_for(server_stops.wait(), 10)

    before = {each: signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)}
    try:
        asyncio.run(start())
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


def test_workers_that_end_before_the_main_process_knows_are_no_failure(
    start_server: Callable[..., Server],
) -> None:
    server = start_server(WORKERS=WORKERS)
    server.process.send_signal(signal.SIGSTOP)
    os.killpg(server.process.pid, signal.SIGTERM)
    time.sleep(1)
    server.process.send_signal(signal.SIGCONT)
    server.log()
    assert server.process.returncode == 0


@pytest.mark.parametrize("tell", [os.kill, os.killpg], ids=["main-process", "all-processes"])
def test_a_stop_while_workers_start_is_no_failure(
    tell: Callable[[int, signal.Signals], None],
) -> None:
    process = spawn("-m", "app", PORT="0")
    try:
        assert process.stdout
        while "Spawning worker" not in process.stdout.readline():
            assert process.poll() is None
        tell(process.pid, signal.SIGTERM)
        output, _ = process.communicate(timeout=20)
    finally:
        kill(process)
    assert "refused to gracefully stop" not in output
    assert process.returncode == 0


def test_an_address_that_cannot_be_used_is_explained() -> None:
    assert find_address("localhost", 0) == "127.0.0.1"
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(SystemExit, match=f"PORT {port} is in use"):
            find_address("127.0.0.1", port)
    with pytest.raises(SystemExit, match="cannot be resolved"):
        find_address("no.such.host.invalid", port)
    with pytest.raises(SystemExit, match="is no address of this machine"):
        find_address("192.0.2.1", port)

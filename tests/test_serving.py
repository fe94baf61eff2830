"""A stop loses no request, a crash takes down no service, and slow clients do not hold it up."""

import asyncio
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import time
from collections import Counter
from collections.abc import AsyncIterator, Coroutine, Iterable, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx2
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, WebSocketException

from tests.rendering import write
from tests.services import (
    REDIS,
    Service,
    add_own_router,
    booted,
    free_port,
    install,
    need,
    need_redis,
)

pytestmark = pytest.mark.slow

WORK = '''"""Routes that take their time."""

import asyncio
import json
import os

from fastapi import APIRouter

router = APIRouter(prefix="/work")


@router.post("")
async def work(seconds: float) -> int:
    """Take so long, and tell who has done it."""
    await asyncio.sleep(seconds)
    return os.getpid()
'''
CLIENTS = 12
LONGEST = 0.8
"""How many requests are in flight at a time, and how long the longest takes."""

PROXY = """
global
  maxconn 500
defaults
  mode http
  retries 0
  timeout check 5s
  timeout connect 5s
  timeout client 20s
  timeout server 20s
  timeout http-keep-alive 20s
frontend service
  bind 127.0.0.1:{port}
  default_backend processes
backend processes
  http-reuse aggressive
  option httpchk GET /readyz
  default-server check inter 200ms fall 1 rise 1
  server a 127.0.0.1:{a}
  server b 127.0.0.1:{b}
"""
"""A balancer that asks for readiness, keeps connections, and repeats no request."""


@pytest.fixture(scope="module")
def project(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give an installed project with rooms, and with routes that take their time."""
    need_redis()
    answers = {
        "database": "none",
        "jwt_auth": False,
        "rate_limiting": False,
        "websockets": True,
    }
    project = write(template, tmp_path_factory.mktemp("serving"), answers)
    install(project)
    add_own_router(project)
    (project / "app" / "notes.py").write_text(WORK, "utf-8")
    return project


@dataclass
class Load:
    """Requests of many clients, each of which waits for an answer before it asks again."""

    url: str
    answers: Counter[str] = field(default_factory=Counter)
    processes: set[int] = field(default_factory=set)
    stop: asyncio.Event = field(default_factory=asyncio.Event)

    async def client(self) -> None:
        """Send requests, short and long, until told to stop."""
        async with httpx2.AsyncClient(base_url=self.url, timeout=20) as client:
            while not self.stop.is_set():
                seconds = random.choice([0, 0, 0, 0.05, LONGEST])  # noqa: S311
                try:
                    response = await client.post("/work", params={"seconds": seconds})
                except httpx2.TransportError as error:
                    self.answers[repr(error)] += 1
                    await asyncio.sleep(0.05)
                else:
                    self.answers[str(response.status_code)] += 1
                    if response.is_success:
                        self.processes.add(response.json())


@asynccontextmanager
async def going_on(
    activities: Iterable[Coroutine[None, None, None]], stop: asyncio.Event
) -> AsyncIterator[None]:
    """Have all of this going on; at the end tell it to stop, and wait until it has."""
    tasks = [asyncio.create_task(activity) for activity in activities]
    try:
        await asyncio.sleep(1)
        yield
    finally:
        stop.set()
        await asyncio.gather(*tasks)


@asynccontextmanager
async def load(url: str) -> AsyncIterator[Load]:
    """Keep a service busy; at the end all requests have been answered, or not."""
    load = Load(url)
    async with going_on((load.client() for _ in range(CLIENTS)), load.stop):
        yield load


@dataclass
class Talk:
    """People who talk to themselves in rooms, and come back whenever they are sent away."""

    url: str
    visits: int = 0
    heard: int = 0
    ends: Counter[str] = field(default_factory=Counter)
    stop: asyncio.Event = field(default_factory=asyncio.Event)

    async def person(self, name: str) -> None:
        """Say something, wait until it is heard, say the next, until told to stop."""
        address = f"ws{self.url.removeprefix('http')}/api/v1/rooms/{name}?name={name}"
        while not self.stop.is_set():
            try:
                async with connect(address) as connection:
                    self.visits += 1
                    while not self.stop.is_set():
                        await connection.send(json.dumps({"type": "say", "text": "hello"}))
                        while json.loads(await connection.recv())["type"] != "said":
                            pass
                        self.heard += 1
                        await asyncio.sleep(0.02)
            except ConnectionClosed as end:
                self.ends[str(end.rcvd.code if end.rcvd else "lost")] += 1
            except (OSError, WebSocketException) as error:
                self.ends[repr(error)] += 1
                await asyncio.sleep(0.05)


@asynccontextmanager
async def talk(url: str) -> AsyncIterator[Talk]:
    """Let people talk; at the end all have left by themselves, or not."""
    talk = Talk(url)
    people = (talk.person(f"person-{number}") for number in range(CLIENTS))
    async with going_on(people, talk.stop):
        yield talk


async def end(service: Service) -> float:
    """Send SIGTERM, expect status 0, and give the seconds that the end took."""
    started = time.monotonic()
    service.process.send_signal(signal.SIGTERM)
    assert await asyncio.to_thread(service.process.wait, 30) == 0
    return time.monotonic() - started


@contextmanager
def balancer(folder: Path, a: int, b: int) -> Iterator[str]:
    """Run a load balancer in front of two processes, and give its address."""
    need(shutil.which("haproxy"), "needs HAProxy: apt-get install haproxy")
    port = free_port()
    config = folder / "haproxy.cfg"
    config.write_text(PROXY.format(port=port, a=a, b=b), "utf-8")
    process = subprocess.Popen(["haproxy", "-db", "-f", str(config)], start_new_session=True)
    try:
        for _ in range(100):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.05)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()


def test_a_rolling_restart_loses_no_request(project: Path, tmp_path: Path) -> None:
    settings = {"WORKERS": "2", "DRAIN_SECONDS": "2", "REDIS_URL": REDIS}
    ports = [free_port(), free_port()]

    async def restart(stack: ExitStack, services: list[Service], url: str) -> tuple[Load, Talk]:
        async with load(url) as requests, talk(url) as people:
            for port, service in zip(ports, services, strict=True):
                assert await end(service) < 2 + LONGEST + 3
                again = booted(project, **settings, PORT=str(port))
                await asyncio.to_thread(stack.enter_context, again)
                await asyncio.sleep(1)
        return requests, people

    with ExitStack() as stack:
        services = [
            stack.enter_context(booted(project, **settings, PORT=str(port))) for port in ports
        ]
        url = stack.enter_context(balancer(tmp_path, *ports))
        requests, people = asyncio.run(restart(stack, services, url))

    assert set(requests.answers) == {"200"}
    assert requests.answers["200"] > 200
    assert len(requests.processes) > 4, "only the old workers have served"
    # everybody has been sent away properly, once or twice, and has come back
    assert set(people.ends) == {"1012"}
    assert people.visits == CLIENTS + people.ends["1012"]
    assert people.heard > 200


def test_a_drain_answers_all_that_come_while_it_is_ready(project: Path) -> None:
    async def drain(service: Service) -> Load:
        async with load(service.url) as requests, httpx2.AsyncClient() as probe:
            ended = asyncio.create_task(end(service))
            while (await probe.get(f"{service.url}/readyz")).status_code == 200:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
            # one more second of requests, as a balancer sends that has not looked yet
            await asyncio.sleep(1)
            assert not ended.done()
            requests.stop.set()
            assert await ended < 2 + LONGEST + 3
        return requests

    with booted(project, REDIS_URL=REDIS, WORKERS="2", DRAIN_SECONDS="2") as service:
        requests = asyncio.run(drain(service))
    assert set(requests.answers) == {"200"}


def test_a_sudden_stop_finishes_what_has_begun(project: Path) -> None:
    async def stop(service: Service) -> list[httpx2.Response]:
        async with httpx2.AsyncClient(base_url=service.url, timeout=20) as client:
            calls = [client.post("/work", params={"seconds": 2}) for _ in range(CLIENTS)]
            begun = [asyncio.create_task(call) for call in calls]
            await asyncio.sleep(1)
            assert await end(service) < 4
            return await asyncio.gather(*begun)

    with booted(project, REDIS_URL=REDIS, WORKERS="2") as service:
        answers = asyncio.run(stop(service))
    assert [answer.status_code for answer in answers] == [200] * CLIENTS


def test_requests_that_take_too_long_do_not_hold_up_the_end(project: Path) -> None:
    async def stop(service: Service) -> float:
        async with httpx2.AsyncClient(base_url=service.url, timeout=20) as client:
            call = asyncio.create_task(client.post("/work", params={"seconds": 15}))
            await asyncio.sleep(1)
            seconds = await end(service)
            with pytest.raises(httpx2.TransportError):
                await call
            return seconds

    with booted(project, SHUTDOWN_TIMEOUT="1") as service:
        assert asyncio.run(stop(service)) < 4


def test_a_worker_that_dies_is_replaced(project: Path) -> None:
    with (
        booted(project, REDIS_URL=REDIS, WORKERS="2") as service,
        httpx2.Client(base_url=service.url) as client,
    ):

        def worker() -> int:
            pid: int = client.post("/work", params={"seconds": 0}).json()
            return pid

        os.kill(worker(), signal.SIGKILL)
        deadline = time.monotonic() + 20
        while service.log.read_text("utf-8").count("Started worker") < 3:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        assert httpx2.get(f"{service.url}/livez").status_code == 200
        assert service.stop() == 0


def test_connections_beyond_the_limit_wait_for_their_turn(project: Path) -> None:
    async def call(service: Service) -> tuple[list[int], float]:
        started = time.monotonic()
        async with httpx2.AsyncClient(base_url=service.url, timeout=20) as client:
            headers = {"Connection": "close"}
            calls = [
                client.post("/work", params={"seconds": 0.5}, headers=headers) for _ in range(6)
            ]
            answers = await asyncio.gather(*calls)
        return [answer.status_code for answer in answers], time.monotonic() - started

    with booted(project, MAX_CONNECTIONS="2") as service:
        statuses, seconds = asyncio.run(call(service))
    assert statuses == [200] * 6
    assert 1.4 < seconds < 6


@pytest.mark.parametrize("text", [b"", b"POST /work?seconds=0 HTTP/1.1\r\nHo"])
def test_connections_that_do_not_get_on_are_closed(project: Path, text: bytes) -> None:
    with booted(project, KEEP_ALIVE_SECONDS="1") as service:
        address = ("127.0.0.1", int(service.url.rpartition(":")[2]))
        with socket.create_connection(address, timeout=10) as slow:
            slow.sendall(text)
            started = time.monotonic()
            assert slow.recv(100) == b""
            assert 0.5 < time.monotonic() - started < 4

"""Rooms hold for a client that nobody here wrote, on processes as in production."""

import asyncio
import json
import os
import resource
import signal
import socket
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import httpx2
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.redis_servers import redis_server
from tests.rendering import write
from tests.services import Service, booted, install
from tests.test_auth import EMAIL, PASSWORD, running_service

pytestmark = [pytest.mark.slow, pytest.mark.anyio]

FAST = {"ROOMS_MESSAGES_PER_SECOND": "100000"}
FILES = 8192
"""How many files a process may open; a connection takes one on either side."""


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module", autouse=True)
def enough_files() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(FILES, hard)), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.fixture(scope="module")
def project(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    answers = {"websockets": True, "database": "none", "jwt_auth": False}
    project = write(template, tmp_path_factory.mktemp("rooms"), answers)
    install(project)
    return project


@pytest.fixture(scope="module")
def service(project: Path) -> Iterator[Service]:
    """Run one service for the tests that do not stop it."""
    with booted(project, ROOMS_QUEUE_SIZE="100", **FAST) as service:
        yield service


def address(service: Service, name: str, room: str = "lobby") -> str:
    """Write the address at which somebody joins a room."""
    return f"{service.url.replace('http', 'ws')}/api/v1/rooms/{room}?name={name}"


def connected(service: Service, name: str, room: str = "lobby", **options: Any) -> connect:
    """Open a connection that neither compresses nor asks nor limits by itself."""
    plain: dict[str, Any] = {"compression": None, "max_queue": None, "ping_interval": None}
    return connect(address(service, name, room), **(plain | options))


@asynccontextmanager
async def joined(
    service: Service, name: str, room: str = "lobby", **options: Any
) -> AsyncIterator[ClientConnection]:
    """Join a room, and be welcome."""
    async with connected(service, name, room, **options) as client:
        welcome = await hear(client)
        assert (welcome["type"], welcome["member"]["name"]) == ("welcome", name)
        yield client


async def hear(client: ClientConnection, kind: str = "") -> dict[str, Any]:
    """Wait for the next message, or for the next of a kind."""
    async with asyncio.timeout(20):
        while True:
            message: dict[str, Any] = json.loads(await client.recv())
            if kind in {"", message["type"]}:
                return message


async def say(client: ClientConnection, text: str) -> None:
    await client.send(json.dumps({"type": "say", "text": text}))


async def hear_from(client: ClientConnection, name: str, count: int) -> list[str]:
    """Wait for so many things that somebody says."""
    texts: list[str] = []
    while len(texts) < count:
        message = await hear(client, "said")
        if message["member"]["name"] == name:
            texts.append(message["text"])
    return texts


async def close_code(client: ClientConnection) -> int:
    """Read until the service ends the connection."""
    async with asyncio.timeout(20):
        with suppress(ConnectionClosed):
            while True:
                await client.recv()
    assert client.close_code is not None
    return client.close_code


async def test_a_thousand_connections_get_every_message_in_order(service: Service) -> None:
    members = 1000
    words = [f"word {number}" for number in range(5)]
    async with AsyncExitStack() as stack:
        clients = [
            await stack.enter_async_context(joined(service, f"m{number}"))
            for number in range(members)
        ]
        async with asyncio.TaskGroup() as tasks:
            heard = [tasks.create_task(hear_from(client, "m0", 5)) for client in clients]
            for word in words:
                await say(clients[0], word)
        assert all(task.result() == words for task in heard)

        refused = await stack.enter_async_context(connected(service, "one-too-many"))
        assert await close_code(refused) == 1013


async def test_who_does_not_keep_to_the_protocol_is_told_so(service: Service) -> None:
    faults: list[tuple[str | bytes, int]]
    faults = [("x" * 16385, 1009), ("no JSON", 1007), (b"bytes", 1003)]
    for sent, code in faults:
        async with joined(service, "ann") as client:
            await client.send(sent)
            assert await close_code(client) == code

    async with joined(service, "ann") as client:
        for strange in ["[]", '{"type": "shout"}', '{"type": "say"}', '{"type":"say","text":""}']:
            await client.send(strange)
            assert (await hear(client))["type"] == "error"
        await say(client, "still here")
        assert (await hear(client))["text"] == "still here"


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1:1"])
async def test_a_page_of_another_origin_is_refused_before_it_is_in(
    service: Service, origin: str
) -> None:
    with pytest.raises(InvalidStatus) as refusal:
        async with connected(service, "ann", additional_headers={"Origin": origin}):
            pass
    assert refusal.value.response.status_code == 403


async def test_pages_of_this_origin_and_of_listed_ones_may_join(project: Path) -> None:
    with booted(project, ROOMS_ORIGINS="https://app.example.com") as service:
        for origin in [service.url, "https://app.example.com"]:
            async with joined(service, "ann", additional_headers={"Origin": origin}):
                pass


async def test_another_host_is_refused(service: Service) -> None:
    host, port = service.url.removeprefix("http://").split(":")
    with pytest.raises(InvalidStatus) as refusal:
        async with connect(
            f"ws://evil.example:{port}/api/v1/rooms/lobby?name=ann", host=host, port=int(port)
        ):
            pass
    assert refusal.value.response.status_code == 400


async def test_nobody_waits_for_a_client_that_stops_reading(service: Service) -> None:
    async with (
        small_window(service, "asleep") as asleep,
        small_window(service, "dead") as dead,
        joined(service, "ann") as ann,
        joined(service, "bob") as bob,
    ):
        for sleeper in (asleep, dead):
            sleeper.transport.pause_reading()
        waits: list[float] = []
        for _ in range(more_than_fits(4000)):
            start = time.perf_counter()
            await say(ann, "x" * 4000)
            await asyncio.gather(hear_from(ann, "ann", 1), hear_from(bob, "ann", 1))
            waits.append(time.perf_counter() - start)
        assert max(waits) < 2

        asleep.transport.resume_reading()
        assert await close_code(asleep) == 1013
        left = {(await hear(bob, "left"))["member"]["name"] for _ in range(2)}
        assert left == {"asleep", "dead"}
        await eventually(lambda: open_sockets(service) == 2)


def more_than_fits(size: int) -> int:
    """Count the messages that neither the kernel nor the service's queue holds for a client."""
    buffer = int(Path("/proc/sys/net/ipv4/tcp_wmem").read_text("utf-8").split()[2])
    return buffer // size + 300


async def eventually(holds: Callable[[], bool]) -> None:
    """Wait until something holds, for up to 10 seconds."""
    deadline = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.1)


async def test_a_client_that_does_not_answer_is_let_go(project: Path) -> None:
    with booted(project, ROOMS_HEARTBEAT_SECONDS="0.5") as service:
        async with small_window(service, "dead") as dead, joined(service, "bob") as bob:
            dead.transport.pause_reading()
            start = time.monotonic()
            while True:
                message = await hear(bob)
                await bob.send('{"type": "pong"}')
                if message["type"] == "left":
                    break
            assert message["member"]["name"] == "dead"
            assert time.monotonic() - start < 3
            await eventually(lambda: open_sockets(service) == 1)
            assert bob.close_code is None


@asynccontextmanager
async def small_window(service: Service, name: str) -> AsyncIterator[ClientConnection]:
    """Join with a socket that takes little before it is full."""
    host, port = service.url.removeprefix("http://").split(":")
    peer = socket.socket()
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    peer.connect((host, int(port)))
    peer.setblocking(False)  # noqa: FBT003
    async with joined(service, name, sock=peer, max_queue=1, close_timeout=1) as client:
        yield client


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("to_all", [False, True], ids=["main-process", "process-group"])
async def test_everybody_is_told_to_come_back_when_the_service_stops(
    project: Path, tmp_path: Path, workers: int, *, to_all: bool
) -> None:
    settings = {"SHUTDOWN_TIMEOUT": "10", "WORKERS": str(workers)}
    async with AsyncExitStack() as stack:
        redis = stack.enter_context(redis_server(tmp_path / "redis"))
        service = stack.enter_context(booted(project, REDIS_URL=redis.url, **settings))
        clients = [
            await stack.enter_async_context(joined(service, f"m{number}")) for number in range(300)
        ]
        start = time.monotonic()
        if to_all:
            os.killpg(service.process.pid, signal.SIGTERM)
        else:
            service.process.send_signal(signal.SIGTERM)
        codes = await asyncio.gather(*map(close_code, clients))
        assert set(codes) == {1012}
        assert await asyncio.to_thread(service.process.wait, 15) == 0
        assert time.monotonic() - start < 10


async def test_a_client_that_does_not_read_does_not_hold_up_the_stop(project: Path) -> None:
    settings = {"SHUTDOWN_TIMEOUT": "20", "ROOMS_QUEUE_SIZE": "100000", **FAST}
    with booted(project, **settings) as service:
        async with small_window(service, "asleep") as asleep, joined(service, "ann") as ann:
            asleep.transport.pause_reading()
            for _ in range(more_than_fits(4000)):
                await say(ann, "x" * 4000)
            await hear_from(ann, "ann", more_than_fits(4000))
            start = time.monotonic()
            service.process.send_signal(signal.SIGTERM)
            assert await close_code(ann) == 1012
            assert time.monotonic() - start < 5
            assert await asyncio.to_thread(service.process.wait, 15) == 0


async def test_what_was_said_before_the_stop_is_heard_before_it(project: Path) -> None:
    with booted(project, **FAST) as service:
        async with joined(service, "ann") as ann, joined(service, "bob") as bob:
            for number in range(200):
                await say(ann, str(number))
            ann_heard = asyncio.create_task(hear_until_the_end(ann))
            bob_heard = asyncio.create_task(hear_until_the_end(bob))
            await asyncio.sleep(0.02)
            service.process.send_signal(signal.SIGTERM)
            assert await ann_heard == await bob_heard
            assert (ann.close_code, bob.close_code) == (1012, 1012)


async def hear_until_the_end(client: ClientConnection) -> list[str]:
    """List what is said until the service ends the connection."""
    texts = []
    with suppress(ConnectionClosed):
        while True:
            texts.append((await hear(client, "said"))["text"])
    return texts


async def test_processes_talk_through_redis_and_go_on_when_it_is_away(
    project: Path, tmp_path: Path
) -> None:
    async with AsyncExitStack() as stack:
        redis = stack.enter_context(redis_server(tmp_path / "redis"))
        one, two = (
            stack.enter_context(booted(project, REDIS_URL=redis.url, **FAST)) for _ in range(2)
        )
        ann = await stack.enter_async_context(joined(one, "ann"))
        amy = await stack.enter_async_context(joined(one, "amy"))
        bob = await stack.enter_async_context(joined(two, "bob"))
        words = [str(number) for number in range(300)]
        for word in words:
            await say(ann, word)
        for member in (ann, amy, bob):
            assert await hear_from(member, "ann", 300) == words

        redis.stop(signal.SIGKILL)
        await say(ann, "is anybody here?")
        for member in (ann, amy):
            assert await hear_from(member, "ann", 1) == ["is anybody here?"]
        # who joins meanwhile is in as well
        art = await stack.enter_async_context(joined(one, "art"))
        await say(art, "me")
        assert await hear_from(amy, "art", 1) == ["me"]
        assert httpx2.get(f"{one.url}/readyz").status_code == 503

        redis.start()
        await meet(ann, bob)
        await meet(bob, art)
        assert [client.close_code for client in (ann, amy, bob, art)] == [None] * 4

        redis.hang()
        await say(ann, "still?")
        await hear_word(amy, "still?")
        await asyncio.sleep(5)
        redis.wake()
        await meet(ann, bob)

        channels = redis.command("PUBSUB", "CHANNELS").split()
        assert sorted(channels) == ["my-service:rooms:", "my-service:rooms:lobby"]
        for client in (ann, amy, art, bob):
            await client.close()
        await eventually(
            lambda: redis.command("PUBSUB", "CHANNELS").split() == ["my-service:rooms:"]
        )
        assert redis.command("CLIENT", "LIST", "TYPE", "pubsub").count("\n") == 1


async def meet(speaker: ClientConnection, listener: ClientConnection) -> None:
    """Say something every now and then until the other hears it, in another process."""
    word = f"can you hear me, {time.monotonic()}"
    async with asyncio.TaskGroup() as tasks:
        heard = tasks.create_task(hear_word(listener, word))
        while not heard.done():
            await say(speaker, word)
            await asyncio.sleep(0.2)


async def hear_word(client: ClientConnection, word: str) -> None:
    while (await hear(client, "said"))["text"] != word:
        pass


async def test_ten_thousand_visits_leave_nothing_behind(service: Service) -> None:
    await visit_many(service, 1000)
    before = memory(service)
    await visit_many(service, 10_000)
    assert memory(service) - before < 2 * 2**20
    assert open_sockets(service) == 0


async def visit_many(service: Service, count: int) -> None:
    """Join a room, say something and leave, a hundred at a time."""
    numbers = iter(range(count))

    async def come_and_go() -> None:
        for number in numbers:
            async with joined(service, "ann", f"room-{number}") as client:
                await say(client, "hello")
                await hear(client, "said")

    await asyncio.gather(*(come_and_go() for _ in range(100)))


def workers(service: Service) -> list[str]:
    """List the process ids of the workers."""
    pid = service.process.pid
    return Path(f"/proc/{pid}/task/{pid}/children").read_text("utf-8").split()


def memory(service: Service) -> int:
    """Count the bytes of memory that the workers hold."""
    files = [Path(f"/proc/{pid}/statm").read_text("utf-8") for pid in workers(service)]
    return sum(int(file.split()[1]) for file in files) * resource.getpagesize()


def open_sockets(service: Service) -> int:
    """Count the connections that the workers hold open."""
    port = int(service.url.rsplit(":", 1)[1])
    lines = Path("/proc/net/tcp").read_text("utf-8").splitlines()[1:]
    fields = [line.split() for line in lines]
    return sum(int(field[1].rsplit(":", 1)[1], 16) == port and field[3] == "01" for field in fields)


@pytest.fixture(scope="module")
def private_project(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    answers = {"websockets": True, "database": "sqlite", "jwt_auth": True}
    project = write(template, tmp_path_factory.mktemp("private"), answers)
    install(project)
    return project


def log_in(service: Service) -> dict[str, str]:
    """Give the tokens of the account that there is."""
    form = {"grant_type": "password", "username": EMAIL, "password": PASSWORD}
    response = httpx2.post(f"{service.url}/api/v1/auth/token", data=form)
    assert response.status_code == 200
    tokens: dict[str, str] = response.json()
    return tokens


async def test_a_connection_needs_a_token_for_as_long_as_it_lasts(private_project: Path) -> None:
    settings = {"ROOMS_TOKEN_CHECK_SECONDS": "0.5", "ACCESS_TOKEN_LIFETIME": "PT1S"}
    with running_service(private_project, **settings) as service:
        for subprotocols in [None, ["bearer"], ["bearer", "x.y.z"], ["x.y.z"]]:
            async with connected(service, "ann", subprotocols=subprotocols) as client:
                assert await close_code(client) == 4401

        revoked, expires = log_in(service), log_in(service)
        async with (
            joined(service, "ann", subprotocols=["bearer", revoked["access_token"]]) as ann,
            joined(service, "bob", subprotocols=["bearer", expires["access_token"]]) as bob,
        ):
            assert ann.subprotocol == "bearer"
            start = time.monotonic()
            form = {"token": revoked["refresh_token"]}
            httpx2.post(f"{service.url}/api/v1/auth/logout", data=form).raise_for_status()
            assert await close_code(ann) == 4401
            assert time.monotonic() - start < 3
            # ten seconds are for clocks that differ
            assert await close_code(bob) == 4401
            assert 8 < time.monotonic() - start < 15

        token = expires["access_token"]
        async with connected(service, "bob", subprotocols=["bearer", token]) as client:
            assert await close_code(client) == 4401
        assert token not in service.log.read_text("utf-8")


async def test_an_open_connection_holds_none_to_the_database(private_project: Path) -> None:
    pool = {"DATABASE_POOL_SIZE": "1", "DATABASE_MAX_OVERFLOW": "0", "DATABASE_POOL_TIMEOUT": "1"}
    with running_service(private_project, **pool) as service:
        token = log_in(service)["access_token"]
        async with AsyncExitStack() as stack:
            for number in range(20):
                member = joined(service, f"m{number}", subprotocols=["bearer", token])
                await stack.enter_async_context(member)
            headers = {"Authorization": f"Bearer {token}"}
            me = httpx2.get(f"{service.url}/api/v1/users/me", headers=headers)
            assert me.status_code == 200

import asyncio
import json
import time
from collections.abc import Callable
from typing import Any, cast

import pytest
from fastapi import WebSocket
from fastapi.testclient import TestClient

from app.rooms import connection
from app.rooms.closing import ClosingError
from app.rooms.connection import Connection
from app.rooms.hub import Hub
from app.settings import Settings
from tests.rooms.people import Join, close_code, hear, say

SAY = json.dumps({"type": "say", "text": "x"})


@pytest.mark.parametrize(
    ("text", "code"), [(SAY + " " * (16385 - len(SAY)), 1009), ("é" * 8193, 1009), ("{", 1007)]
)
def test_what_cannot_be_a_message_ends_the_connection(
    client: TestClient, join: Join, text: str, code: int
) -> None:
    with join(client, "ann") as ann:
        ann.send_text(text)
        assert close_code(ann) == code


def test_bytes_end_the_connection(client: TestClient, join: Join) -> None:
    with join(client, "ann") as ann:
        ann.send_bytes(SAY.encode())
        assert close_code(ann) == 1003


def test_a_message_of_the_greatest_size_is_heard(client: TestClient, join: Join) -> None:
    with join(client, "ann") as ann:
        ann.send_text(SAY + " " * (16384 - len(SAY)))
        assert hear(ann)["text"] == "x"


@pytest.mark.parametrize(
    "message",
    [
        [],
        {},
        {"type": "shout"},
        {"type": "say"},
        {"type": "say", "text": ""},
        {"type": "say", "text": "x" * 4001},
        {"type": "said", "text": "x"},
    ],
)
def test_what_is_not_understood_is_told_and_dropped(
    client: TestClient, join: Join, message: Any
) -> None:
    with join(client, "ann") as ann:
        ann.send_json(message)
        assert hear(ann, "error")["detail"]
        say(ann, "still here")
        assert hear(ann)["text"] == "still here"


def test_a_full_process_asks_to_come_back_later(
    start: Callable[..., TestClient], join: Join
) -> None:
    client = start(rooms_max_connections=1)
    with join(client, "ann") as ann:
        with join(client, "bob") as bob:
            assert close_code(bob) == 1013
        hear(ann, "welcome")
        ann.close()
    with join(client, "amy") as amy:
        hear(amy, "welcome")


def test_a_silent_client_is_asked_and_then_let_go(
    start: Callable[..., TestClient], join: Join
) -> None:
    client = start(rooms_heartbeat_seconds=0.1)
    with join(client, "ann") as ann:
        for _ in range(3):
            hear(ann, "ping")
            ann.send_json({"type": "pong"})
        hear(ann, "ping")
        assert close_code(ann) == 4408


def test_a_fast_talker_is_read_more_slowly(start: Callable[..., TestClient], join: Join) -> None:
    client = start(rooms_messages_per_second=20)
    with join(client, "ann") as ann:
        began = time.monotonic()
        for number in range(50):
            say(ann, str(number))
        assert [hear(ann)["text"] for _ in range(50)] == [str(number) for number in range(50)]
        assert 0.3 < time.monotonic() - began < 2


def test_what_nobody_foresaw_is_logged_and_ends_the_connection(
    start: Callable[..., TestClient],
    join: Join,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.delattr(Hub, "tell")
    with join(start(), "ann") as ann:
        assert close_code(ann) == 1011
    assert "unexpected_error" in capsys.readouterr().out


class SlowSocket:
    """The socket of a client that takes its time."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.received: list[str] = []

    async def send_text(self, text: str) -> None:
        await asyncio.sleep(self.seconds)
        self.received.append(text)

    async def close(self, _code: int, _reason: str) -> None:
        await asyncio.sleep(self.seconds)


async def flood(socket: SlowSocket, messages: int) -> ClosingError:
    """Queue messages for the socket, ten at most, and wait until its client is let go."""
    slow = Connection(cast("WebSocket", socket), Settings(rooms_queue_size=10))
    writing = asyncio.create_task(slow.write())
    for number in range(messages):
        slow.send(str(number))
        await asyncio.sleep(0)
    try:
        async with asyncio.timeout(5):
            await slow.wait_for_end()
    except ClosingError as closing:
        writing.cancel()
        await slow.close(closing)
        return closing
    raise AssertionError


def test_a_client_that_does_not_read_is_let_go_and_nobody_waits(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(connection, "FAREWELL_SECONDS", 0.05)
    socket = SlowSocket(3600)
    assert asyncio.run(flood(socket, messages=100)).code == 1013
    assert socket.received == []


def test_a_slow_client_gets_what_was_queued_before_it_was_let_go() -> None:
    socket = SlowSocket(0.01)
    assert asyncio.run(flood(socket, messages=100)).code == 1013
    assert socket.received == [str(number) for number in range(11)]

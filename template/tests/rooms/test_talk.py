import asyncio
from collections.abc import Callable

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from starlette.testclient import WebSocketDenialResponse

from app.rooms import hub
from app.rooms.closing import ClosingError
from app.rooms.connection import Connection
from tests.rooms.people import Join, close_code, hear, say


def test_members_hear_each_other_in_order(client: TestClient, join: Join) -> None:
    with join(client, "ann") as ann, join(client, "bob") as bob:
        assert hear(ann, "welcome")["member"]["name"] == "ann"
        welcome = bob.receive_json()
        assert (welcome["type"], welcome["room"]) == ("welcome", "lobby")
        assert hear(ann, "joined")["member"] == welcome["member"]
        for text in ["one", "two", "three"]:
            say(bob, text)
        for session in (ann, bob):
            heard = [hear(session) for _ in range(3)]
            assert [message["text"] for message in heard] == ["one", "two", "three"]
            assert {message["member"]["id"] for message in heard} == {welcome["member"]["id"]}
        bob.close()
        assert hear(ann, "left")["member"] == welcome["member"]


def test_rooms_do_not_hear_each_other_and_leave_nothing_behind(
    app: FastAPI, client: TestClient, join: Join
) -> None:
    with join(client, "ann", "kitchen") as ann, join(client, "bob", "garden") as bob:
        say(ann, "in the kitchen")
        say(bob, "in the garden")
        assert hear(ann)["text"] == "in the kitchen"
        assert hear(bob)["text"] == "in the garden"
    assert app.state.hub.rooms == {}
    assert app.state.hub.connections == set()


def test_what_is_said_is_passed_on_as_it_is(client: TestClient, join: Join) -> None:
    text = "<b>täglich</b> \u202e 🎉 \n"
    with join(client, "ann") as ann:
        say(ann, text)
        assert hear(ann)["text"] == text


def test_nobody_is_told_who_comes_to_a_big_room(
    client: TestClient, join: Join, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub, "PRESENCE_LIMIT", 1)
    with join(client, "ann") as ann:
        assert ann.receive_json()["type"] == "welcome"
        with join(client, "bob") as bob:
            assert bob.receive_json()["type"] == "welcome"
            say(bob, "hello")
            assert ann.receive_json()["type"] == "said"


@pytest.mark.parametrize("room", ["Lobby", "-", "a" * 65, "a%20b", "a_b", "%C3%A9", "a%0A"])
def test_a_room_has_a_plain_name(client: TestClient, join: Join, room: str) -> None:
    with pytest.raises(WebSocketDenialResponse) as refusal, join(client, "ann", room):
        pass
    assert refusal.value.status_code == 422
    assert refusal.value.headers["Content-Type"] == "application/problem+json"
    assert refusal.value.json()["errors"][0]["pointer"] == "#/path/room"


@pytest.mark.parametrize("name", ["", " ann", "a" * 41, "a%00b", "a%0Ab", "a%E2%80%AEb"])
def test_a_member_has_a_printable_name(client: TestClient, name: str) -> None:
    path = f"/api/v1/rooms/lobby?name={name}"
    with pytest.raises(WebSocketDenialResponse) as refusal, client.websocket_connect(path):
        pass
    assert refusal.value.json()["errors"][0]["pointer"] == "#/query/name"


def test_another_host_is_refused(client: TestClient, join: Join) -> None:
    with (
        pytest.raises(WebSocketDenialResponse) as refusal,
        join(client, "ann", headers={"Host": "evil.example"}),
    ):
        pass
    assert refusal.value.status_code == 400


def test_everybody_is_sent_away_before_the_server_stops(
    app: FastAPI, client: TestClient, join: Join
) -> None:
    assert client.portal
    with join(client, "ann") as ann, join(client, "bob", "kitchen") as bob:
        hear(ann, "welcome")
        hear(bob, "welcome")
        say(ann, "last words")
        for prepare in app.state.readiness.before_stop:
            client.portal.call(prepare)
        assert hear(ann)["text"] == "last words"
        assert [close_code(ann), close_code(bob)] == [1012, 1012]
        with join(client, "amy") as amy:
            assert close_code(amy) == 1012


def test_the_stop_waits_until_everybody_has_been_told(
    app: FastAPI, client: TestClient, join: Join, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[int] = []
    close = Connection.close

    async def close_slowly(connection: Connection, closing: ClosingError) -> None:
        await asyncio.sleep(0.1)
        await close(connection, closing)
        told.append(closing.code)

    monkeypatch.setattr(Connection, "close", close_slowly)
    assert client.portal
    with join(client, "ann") as ann, join(client, "bob") as bob:
        hear(ann, "welcome")
        hear(bob, "welcome")
        client.portal.call(app.state.hub.close)
        assert told == [1012, 1012]


def test_each_visit_leaves_one_line_in_the_log(
    start: Callable[..., TestClient], join: Join, capsys: pytest.CaptureFixture[str]
) -> None:
    with join(start(), "ann") as ann:
        ann.send_bytes(b"")
        assert close_code(ann) == 1003
    lines = [line for line in capsys.readouterr().out.splitlines() if '"websocket"' in line]
    assert len(lines) == 1
    assert '"room": "lobby"' in lines[0]
    assert '"code": 1003' in lines[0]
    assert "request_id" in lines[0]

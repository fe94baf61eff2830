from collections.abc import Callable
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy.exc import InterfaceError
from starlette.testclient import WebSocketDenialResponse

from app.rooms import login
from tests.auth.accounts import open_account
from tests.rooms.people import Join, close_code, hear, say


@pytest.mark.parametrize(
    "subprotocols",
    [[], ["bearer"], ["bearer", "x.y.z"], ["other", "bearer"], ["bearer", "a", "b"]],
)
def test_without_a_good_token_there_is_no_talk(
    client: TestClient, join: Join, subprotocols: list[str]
) -> None:
    with join(client, "ann", subprotocols=subprotocols) as ann:
        assert close_code(ann) == 4401
        assert ann.accepted_subprotocol == ("bearer" if "bearer" in subprotocols else None)


def test_the_token_is_not_sent_back_and_says_who_it_is(client: TestClient, join: Join) -> None:
    tokens = open_account(client)
    headers = {"Authorization": f"Bearer {tokens['access_token']}"}
    me = client.get("/api/v1/users/me", headers=headers).json()
    with join(client, "bob", subprotocols=["bearer", tokens["access_token"]]) as bob:
        assert bob.accepted_subprotocol == "bearer"
        assert hear(bob, "welcome")["member"] == {"id": me["id"], "name": "bob"}


def test_a_token_in_the_address_is_of_no_use(client: TestClient) -> None:
    token = open_account(client)["access_token"]
    path = f"/api/v1/rooms/lobby?name=ann&token={token}&access_token={token}"
    with client.websocket_connect(path) as session:
        assert close_code(session) == 4401


def test_a_login_that_ends_ends_the_connection(
    start: Callable[..., TestClient], join: Join
) -> None:
    client = start(rooms_token_check_seconds=0.05)
    ann_tokens, bob_tokens = open_account(client), open_account(client, "bob@example.com")
    with (
        join(client, "ann", subprotocols=["bearer", ann_tokens["access_token"]]) as ann,
        join(client, "bob", subprotocols=["bearer", bob_tokens["access_token"]]) as bob,
    ):
        client.post("/api/v1/auth/logout", data={"token": ann_tokens["refresh_token"]})
        assert close_code(ann) == 4401
        say(bob, "still here")
        assert hear(bob)["text"] == "still here"


def test_a_database_that_is_away_keeps_new_members_out_and_old_ones_in(
    start: Callable[..., TestClient], join: Join, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: Any) -> None:
        error = OSError("away")
        raise InterfaceError("SELECT", {}, error, connection_invalidated=True)

    client = start(rooms_token_check_seconds=0.05, rooms_heartbeat_seconds=0.3)
    subprotocols = ["bearer", open_account(client)["access_token"]]
    with join(client, "ann", subprotocols=subprotocols) as ann:
        monkeypatch.setattr(login, "identify", fail)
        hear(ann, "ping")
        with (
            pytest.raises(WebSocketDenialResponse) as refusal,
            join(client, "bob", subprotocols=subprotocols),
        ):
            pass
        assert refusal.value.status_code == 503
        say(ann, "still here")
        assert hear(ann)["text"] == "still here"

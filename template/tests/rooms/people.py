"""People who come to rooms, as clients do."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import pytest
from fastapi.testclient import TestClient
from starlette.testclient import WebSocketTestSession
from starlette.websockets import WebSocketDisconnect

# {% if jwt_auth %}
from tests.auth.accounts import open_account

# {% endif %}
Join = Callable[..., AbstractContextManager[WebSocketTestSession]]


@pytest.fixture
def join() -> Join:
    """Open a connection to a room; the welcome is the first that it hears."""
    # {% if jwt_auth %}
    tokens: dict[TestClient, str] = {}
    # {% endif %}

    def join(
        client: TestClient, name: str, room: str = "lobby", **options: Any
    ) -> AbstractContextManager[WebSocketTestSession]:
        # {% if jwt_auth %}
        if "subprotocols" not in options:
            token = tokens.get(client) or open_account(client, "rooms@example.com")["access_token"]
            tokens[client] = token
            options["subprotocols"] = ["bearer", token]
        # {% endif %}
        return client.websocket_connect(f"/api/v1/rooms/{room}?name={name}", **options)

    return join


def hear(session: WebSocketTestSession, kind: str = "said") -> dict[str, Any]:
    """Wait for the next message of a kind."""
    while True:
        message: dict[str, Any] = session.receive_json()
        if message["type"] == kind:
            return message


def say(session: WebSocketTestSession, text: str) -> None:
    session.send_json({"type": "say", "text": text})


def close_code(session: WebSocketTestSession) -> int:
    """Listen until the service ends the connection."""
    with pytest.raises(WebSocketDisconnect) as end:
        hear(session, "nothing")
    return end.value.code

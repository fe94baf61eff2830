from collections.abc import Callable

import pytest
from fastapi.testclient import TestClient
from pydantic import ValidationError
from starlette.testclient import WebSocketDenialResponse

from app.settings import Settings
from tests.rooms.people import Join, hear

ALLOWED = "https://app.example.com"


@pytest.fixture
def client(start: Callable[..., TestClient]) -> TestClient:
    return start(rooms_origins=f"{ALLOWED},http://localhost:5173")


@pytest.mark.parametrize("origin", ["http://testserver", "https://TESTSERVER", ALLOWED])
def test_pages_of_this_service_and_of_listed_origins_may_join(
    client: TestClient, join: Join, origin: str
) -> None:
    with join(client, "ann", headers={"Origin": origin}) as ann:
        hear(ann, "welcome")


@pytest.mark.parametrize(
    "origin",
    [
        "null",
        "",
        "https://evil.example",
        "http://testserver:81",
        "http://testserver.evil.example",
        "http://app.example.com",
        "https://app.example.com:8443",
        "http://evil.example@testserver",
    ],
)
def test_pages_of_other_origins_are_refused_before_they_are_in(
    client: TestClient, join: Join, origin: str
) -> None:
    with (
        pytest.raises(WebSocketDenialResponse) as refusal,
        join(client, "ann", headers={"Origin": origin}),
    ):
        pass
    assert refusal.value.status_code == 403
    assert refusal.value.headers["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize(
    "origins", ["*", "app.example.com", f"{ALLOWED}/", "https://*.example.com", "null"]
)
def test_what_is_no_origin_stops_the_start(origins: str) -> None:
    with pytest.raises(ValidationError, match="must list origins such as"):
        Settings(rooms_origins=origins)

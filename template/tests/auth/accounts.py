"""Open accounts and log in, as callers do."""

from typing import Any

import pytest
from fastapi.testclient import TestClient
from httpx2 import Response

from app.auth import passwords

EMAIL = "ann@example.com"
PASSWORD = "correct horse battery staple"

Tokens = dict[str, Any]


@pytest.fixture(autouse=True)
def costs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hash passwords fast; a module whose tests are about that has a fixture of this name."""
    monkeypatch.setattr(passwords, "MEMORY_COST", 64)
    monkeypatch.setattr(passwords, "TIME_COST", 1)


def register(client: TestClient, email: str = EMAIL, password: str = PASSWORD) -> Response:
    return client.post("/api/v1/auth/register", json={"email": email, "password": password})


def ask_for_tokens(client: TestClient, **parameters: str) -> Response:
    return client.post("/api/v1/auth/token", data=parameters)


def try_to_log_in(
    client: TestClient, email: str = EMAIL, password: str = PASSWORD, **parameters: str
) -> Response:
    return ask_for_tokens(
        client, grant_type="password", username=email, password=password, **parameters
    )


def log_in(client: TestClient, email: str = EMAIL, password: str = PASSWORD) -> Tokens:
    response = try_to_log_in(client, email, password)
    assert response.status_code == 200
    tokens: Tokens = response.json()
    return tokens


def assert_login_refused(client: TestClient, email: str, password: str) -> None:
    """Make sure that a login fails as every other."""
    response = try_to_log_in(client, email, password)
    assert response.status_code == 400
    assert response.headers["Content-Type"] == "application/problem+json"
    assert "Set-Cookie" not in response.headers
    problem = response.json()
    del problem["request_id"]
    assert problem == {
        "type": "about:blank",
        "title": "Bad Request",
        "status": 400,
        "detail": "The username or the password is wrong.",
        "instance": "/api/v1/auth/token",
        "error": "invalid_grant",
        "error_description": "The username or the password is wrong.",
    }


def open_account(client: TestClient, email: str = EMAIL) -> Tokens:
    """Register and log in."""
    register(client, email)
    return log_in(client, email)


def refresh(client: TestClient, tokens: Tokens) -> Response:
    return client.post("/api/v1/auth/refresh", data={"refresh_token": tokens["refresh_token"]})


def bearer(tokens: Tokens) -> dict[str, str]:
    """The header that goes with a request for a user's data."""
    return {"Authorization": f"Bearer {tokens['access_token']}"}


def read_me(client: TestClient, tokens: Tokens) -> Response:
    return client.get("/api/v1/users/me", headers=bearer(tokens))

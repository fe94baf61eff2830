import asyncio
import os
from collections.abc import Callable

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlalchemy import select, update

from app.auth.passwords import HASH_OF_NOBODY, PasswordHasher
from app.users.models import User
from tests.auth.accounts import (
    EMAIL,
    PASSWORD,
    ask_for_tokens,
    assert_login_refused,
    bearer,
    log_in,
    open_account,
    read_me,
    refresh,
    register,
    try_to_log_in,
)
from tests.database.databases import execute

DANGEROUS = [
    "' OR '1'='1",
    "ann@example.com' --",
    "ann@example.com'; DROP TABLE users; --",
    "ann@example.com\r\nSet-Cookie: admin=1",
    "ann@example.com\x00",
    "\x00",
    "%",
    "ann@%",
    "a" * 100_000,
    "😀@example.com",
    "\u202eann@example.com",
]


def test_a_login_is_answered_as_rfc_6749_asks_for(client: TestClient) -> None:
    register(client)
    response = try_to_log_in(client)
    assert response.status_code == 200
    assert response.headers["Cache-Control"] == "no-store"
    assert response.headers["Content-Type"] == "application/json"
    tokens = response.json()
    assert tokens.keys() == {"access_token", "token_type", "expires_in", "refresh_token"}
    assert (tokens["token_type"], tokens["expires_in"]) == ("Bearer", 900)
    assert read_me(client, tokens).json()["email"] == EMAIL


def test_an_address_is_the_same_however_it_is_written(client: TestClient) -> None:
    register(client, "Ann@EXAMPLE.com")
    tokens = log_in(client, "aNN@example.COM")
    assert read_me(client, tokens).json()["email"] == EMAIL


def test_an_unknown_user_and_a_wrong_password_get_the_same_answer(client: TestClient) -> None:
    register(client)
    assert_login_refused(client, EMAIL, "not the right password")
    assert_login_refused(client, "nobody@example.com", PASSWORD)


@pytest.mark.parametrize("username", DANGEROUS, ids=range(len(DANGEROUS)))
def test_no_username_does_harm(client: TestClient, username: str) -> None:
    tokens = open_account(client)
    assert_login_refused(client, username, PASSWORD)
    assert read_me(client, tokens).status_code == 200


@pytest.mark.parametrize("password", ["' OR '1'='1", "\x00", "a\r\nb", "x" * 129, "x" * 500_000])
def test_no_password_does_harm(client: TestClient, password: str) -> None:
    register(client)
    assert_login_refused(client, EMAIL, password)


def test_the_same_characters_are_the_same_password(client: TestClient) -> None:
    register(client, password="Cre\u0300me bru\u0302le\u0301e")
    log_in(client, password="Crème brûlée")


@pytest.mark.parametrize("missing", ["grant_type", "username", "password"])
def test_a_missing_parameter_is_named_in_the_form_of_oauth(
    client: TestClient, missing: str
) -> None:
    parameters = {"grant_type": "password", "username": EMAIL, "password": PASSWORD}
    response = ask_for_tokens(client, **parameters | {missing: ""})
    assert response.status_code == 400
    assert response.json()["error"] == "invalid_request"
    assert response.json()["error_description"] == f"The parameter {missing} is missing."


@pytest.mark.parametrize(
    ("form", "required"),
    [
        ("TokenRequest", ["grant_type"]),
        ("RefreshRequest", ["refresh_token"]),
        ("RevocationRequest", ["token"]),
    ],
)
def test_the_document_requires_what_oauth_does(
    client: TestClient, form: str, required: list[str]
) -> None:
    schema = client.get("/openapi.json").json()["components"]["schemas"][form]
    assert schema["required"] == required
    assert not [name for name in required if "default" in schema["properties"][name]]


def test_another_grant_type_is_refused_in_the_form_of_oauth(client: TestClient) -> None:
    response = ask_for_tokens(client, grant_type="client_credentials")
    assert response.status_code == 400
    assert response.json()["error"] == "unsupported_grant_type"


def test_what_a_client_says_about_itself_is_ignored(client: TestClient) -> None:
    register(client)
    response = try_to_log_in(client, client_id="app", client_secret="x")
    assert response.status_code == 200


@pytest.mark.parametrize("scope", ["admin", "unknown", "admin unknown"])
def test_a_user_gets_no_scope_that_has_not_been_granted(client: TestClient, scope: str) -> None:
    register(client)
    response = try_to_log_in(client, scope=scope)
    assert response.status_code == 400
    assert response.json()["error"] == "invalid_scope"


class SlowHasher(PasswordHasher):
    """A hasher in whose hands something happens meanwhile."""

    def __init__(self, meanwhile: Callable[[], object]) -> None:
        super().__init__(limit=1)
        self.meanwhile = meanwhile

    async def verify(self, password: str, password_hash: str | None) -> str | None:
        result = await super().verify(password, password_hash)
        await asyncio.to_thread(self.meanwhile)
        return result


def test_no_connection_is_held_while_a_password_is_hashed(app: FastAPI) -> None:
    in_use: list[int] = []
    hasher = SlowHasher(lambda: in_use.append(app.state.engine.pool.checkedout()))
    app.state.password_hasher = hasher
    with TestClient(app) as client:
        tokens = open_account(client)
        change = {"current_password": PASSWORD, "new_password": "another good password"}
        client.post("/api/v1/users/me/password", json=change, headers=bearer(tokens))
        assert_login_refused(client, EMAIL, PASSWORD)
    assert in_use == [0, 0, 0]


@pytest.mark.parametrize("change", [{"password_hash": HASH_OF_NOBODY}, {"is_active": False}])
def test_a_login_loses_against_what_happens_to_the_account_meanwhile(
    app: FastAPI, change: dict[str, object]
) -> None:
    statement = update(User).values(change)
    with TestClient(app) as client:
        register(client)
        app.state.password_hasher = SlowHasher(lambda: execute(statement))
        assert_login_refused(client, EMAIL, PASSWORD)


def test_a_change_of_the_password_loses_against_another_meanwhile(app: FastAPI) -> None:
    statement = update(User).values(password_hash=HASH_OF_NOBODY)
    with TestClient(app) as client:
        tokens = open_account(client)
        app.state.password_hasher = SlowHasher(lambda: execute(statement))
        change = {"current_password": PASSWORD, "new_password": "another good password"}
        response = client.post("/api/v1/users/me/password", json=change, headers=bearer(tokens))
    assert response.status_code == 403
    assert execute(select(User.password_hash)) == [(HASH_OF_NOBODY,)]


def test_no_secret_is_logged(
    start: Callable[..., TestClient], capsys: pytest.CaptureFixture[str]
) -> None:
    client = start()
    first = open_account(client)
    assert_login_refused(client, EMAIL, "not the right password")
    second = refresh(client, first).json()
    refresh(client, first)
    read_me(client, second)
    read_me(client, {"access_token": "no.such.token"})
    log = capsys.readouterr().out
    assert "login_refused" in log
    assert "spent_refresh_token_presented" in log
    secrets = [PASSWORD, "not the right password", "no.such.token", os.environ["AUTH_SECRETS"]]
    secrets += [tokens[name] for tokens in (first, second) for name in tokens if "_token" in name]
    for secret in secrets:
        assert secret not in log

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from time import sleep

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import func, select, text, update

from app.auth.models import RefreshToken, TokenFamily
from app.database.base import utc_now
from tests.auth.accounts import (
    Tokens,
    ask_for_tokens,
    bearer,
    log_in,
    open_account,
    read_me,
    refresh,
    register,
)
from tests.database.databases import execute


@pytest.fixture
def tokens(client: TestClient) -> Tokens:
    return open_account(client)


def assert_refused(client: TestClient, tokens: Tokens) -> None:
    response = refresh(client, tokens)
    assert response.status_code == 400
    assert response.json()["error"] == "invalid_grant"
    description = "The refresh token is invalid, expired or revoked."
    assert response.json()["error_description"] == description


def test_a_refresh_token_gives_new_tokens(client: TestClient, tokens: Tokens) -> None:
    response = refresh(client, tokens)
    assert response.status_code == 200
    assert response.headers["Cache-Control"] == "no-store"
    new = response.json()
    assert new["refresh_token"] != tokens["refresh_token"]
    assert new["access_token"] != tokens["access_token"]
    assert read_me(client, new).status_code == 200
    assert refresh(client, new).status_code == 200


def test_the_token_endpoint_takes_refresh_tokens_too(client: TestClient, tokens: Tokens) -> None:
    parameters = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}
    new = ask_for_tokens(client, **parameters).json()
    assert read_me(client, new).status_code == 200
    assert_refused(client, tokens)


def test_a_reused_refresh_token_revokes_the_family(client: TestClient, tokens: Tokens) -> None:
    new = refresh(client, tokens).json()
    other = log_in(client)
    assert_refused(client, tokens)
    assert_refused(client, new)
    assert read_me(client, tokens).status_code == 401
    assert read_me(client, new).status_code == 401
    # Another login of the same user goes on.
    assert read_me(client, other).status_code == 200
    assert refresh(client, other).status_code == 200


def test_a_reused_refresh_token_revokes_what_has_come_long_after(
    client: TestClient, tokens: Tokens
) -> None:
    newest = tokens
    for _ in range(3):
        newest = refresh(client, newest).json()
    assert_refused(client, tokens)
    assert_refused(client, newest)


def test_of_concurrent_refreshes_with_one_token_one_succeeds(
    client: TestClient, tokens: Tokens
) -> None:
    with ThreadPoolExecutor(10) as pool:
        responses = list(pool.map(lambda _: refresh(client, tokens), range(10)))
    statuses = sorted(response.status_code for response in responses)
    assert statuses == [200] + [400] * 9
    [new] = [response.json() for response in responses if response.status_code == 200]
    assert_refused(client, new)
    assert read_me(client, new).status_code == 401


@pytest.mark.parametrize(
    "token", ["x", "' OR 1=1 --", "\0", "a\r\nb", "é", "A" * 43, "A" * 100_000], ids=range(7)
)
def test_what_is_no_refresh_token_is_refused(client: TestClient, token: str) -> None:
    assert_refused(client, {"refresh_token": token})


def test_an_access_token_is_no_refresh_token(client: TestClient, tokens: Tokens) -> None:
    assert_refused(client, {"refresh_token": tokens["access_token"]})
    assert refresh(client, tokens).status_code == 200


def test_a_missing_refresh_token_is_named(client: TestClient) -> None:
    response = refresh(client, {"refresh_token": ""})
    assert response.status_code == 400
    assert response.json()["error"] == "invalid_request"


def test_a_refresh_token_that_lies_unused_expires(start: Callable[..., TestClient]) -> None:
    client = start(refresh_token_lifetime=1)
    tokens = open_account(client)
    sleep(1.1)
    assert_refused(client, tokens)
    # The login itself goes on: to come too late is no theft.
    assert read_me(client, tokens).status_code == 200


def test_a_login_ends_however_often_it_is_refreshed(start: Callable[..., TestClient]) -> None:
    client = start(login_lifetime=3)
    tokens = open_account(client)
    sleep(1)
    tokens = refresh(client, tokens).json()
    assert read_me(client, tokens).status_code == 200
    sleep(2.1)
    assert_refused(client, tokens)
    assert read_me(client, tokens).status_code == 401


def count(model: type[TokenFamily | RefreshToken]) -> int:
    [(number,)] = execute(select(func.count()).select_from(model))
    return int(number)


def test_logins_that_are_over_are_forgotten_at_the_next(client: TestClient) -> None:
    refresh(client, open_account(client))
    open_account(client, "bob@example.com")
    assert (count(TokenFamily), count(RefreshToken)) == (2, 3)
    execute(update(TokenFamily).values(expires_at=utc_now()))
    log_in(client)
    assert (count(TokenFamily), count(RefreshToken)) == (2, 2)


def test_the_database_knows_no_token(client: TestClient, tokens: Tokens) -> None:
    rows = str(execute(text("SELECT * FROM refresh_tokens")))
    assert len(rows) > 100
    assert tokens["refresh_token"] not in rows


def test_logging_out_ends_the_login_and_no_other(client: TestClient, tokens: Tokens) -> None:
    other = log_in(client)
    response = client.post("/api/v1/auth/logout", data={"token": tokens["refresh_token"]})
    assert response.status_code == 200
    assert_refused(client, tokens)
    assert read_me(client, tokens).status_code == 401
    assert read_me(client, other).status_code == 200


def test_logging_out_works_with_a_token_that_is_used_up(client: TestClient, tokens: Tokens) -> None:
    new = refresh(client, tokens).json()
    client.post("/api/v1/auth/logout", data={"token": tokens["refresh_token"]})
    assert_refused(client, new)


@pytest.mark.parametrize("token", ["x", "\0", "' OR 1=1 --"])
def test_logging_out_with_anything_else_does_nothing(
    client: TestClient, tokens: Tokens, token: str
) -> None:
    assert client.post("/api/v1/auth/logout", data={"token": token}).status_code == 200
    assert read_me(client, tokens).status_code == 200


def test_logging_out_needs_a_token(client: TestClient) -> None:
    response = client.post("/api/v1/auth/logout")
    assert response.status_code == 400
    assert response.json()["error"] == "invalid_request"


def test_a_refresh_cannot_add_a_scope(client: TestClient, tokens: Tokens) -> None:
    data = {"refresh_token": tokens["refresh_token"], "scope": "admin"}
    response = client.post("/api/v1/auth/refresh", data=data)
    assert response.status_code == 400
    assert response.json()["error"] == "invalid_scope"
    # Nothing has happened: the token is still good.
    assert refresh(client, tokens).status_code == 200


def test_a_user_who_is_shut_out_cannot_refresh(client: TestClient) -> None:
    register(client)
    tokens = log_in(client)
    client.delete("/api/v1/users/me", headers=bearer(tokens))
    assert_refused(client, tokens)

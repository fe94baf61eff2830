import json
from typing import Any
from uuid import UUID, uuid4

import pytest
from fastapi.testclient import TestClient
from httpx2 import Response
from sqlalchemy import update

from app.users.models import User
from tests.auth.accounts import (
    EMAIL,
    PASSWORD,
    Tokens,
    bearer,
    log_in,
    open_account,
    read_me,
    refresh,
    register,
    try_to_log_in,
)
from tests.database.databases import execute

ADMIN = "root@example.com"
NEW_PASSWORD = "another good password"


@pytest.fixture
def tokens(client: TestClient) -> Tokens:
    return open_account(client)


@pytest.fixture
def admin(client: TestClient) -> Tokens:
    """The tokens of an administrator who has asked for the scope."""
    register(client, ADMIN)
    execute(update(User).where(User.email == ADMIN).values(scope="admin"))
    tokens: Tokens = try_to_log_in(client, ADMIN, scope="admin").json()
    return tokens


def change_password(client: TestClient, tokens: Tokens, **passwords: Any) -> Response:
    body = {"current_password": PASSWORD, "new_password": NEW_PASSWORD} | passwords
    return client.post(
        "/api/v1/users/me/password",
        content=json.dumps(body),
        headers=bearer(tokens) | {"Content-Type": "application/json"},
    )


def set_active(client: TestClient, tokens: Tokens, user_id: str, *, active: bool) -> Response:
    change = {"is_active": active}
    return client.patch(f"/api/v1/users/{user_id}", json=change, headers=bearer(tokens))


def test_users_see_themselves_and_no_secret(client: TestClient, tokens: Tokens) -> None:
    me = read_me(client, tokens).json()
    assert me.keys() == {"id", "email", "scope", "is_active", "created_at"}
    assert UUID(me["id"]).version == 7
    assert (me["email"], me["scope"], me["is_active"]) == (EMAIL, "", True)


def test_a_new_password_replaces_the_old_one(client: TestClient, tokens: Tokens) -> None:
    assert change_password(client, tokens).status_code == 204
    assert try_to_log_in(client).status_code == 400
    log_in(client, password=NEW_PASSWORD)


def test_a_new_password_ends_all_logins_of_this_user(client: TestClient, tokens: Tokens) -> None:
    phone, bob = log_in(client), open_account(client, "bob@example.com")
    change_password(client, tokens)
    for login in (tokens, phone):
        assert read_me(client, login).status_code == 401
        assert refresh(client, login).status_code == 400
    assert read_me(client, bob).status_code == 200
    assert refresh(client, bob).status_code == 200


@pytest.mark.parametrize("current", ["", "not the right password", "x" * 100_000, "\ud800"])
def test_a_stolen_token_is_not_enough_to_change_the_password(
    client: TestClient, tokens: Tokens, current: str
) -> None:
    response = change_password(client, tokens, current_password=current)
    assert response.status_code == 403
    assert response.json()["detail"] == "The current password is wrong."
    assert read_me(client, tokens).status_code == 200
    log_in(client)


@pytest.mark.parametrize("new", ["", "x" * 11, "x" * 129])
def test_a_new_password_is_as_long_as_any(client: TestClient, tokens: Tokens, new: str) -> None:
    response = change_password(client, tokens, new_password=new)
    assert response.status_code == 422
    [error] = response.json()["errors"]
    assert error["pointer"] == "#/body/new_password"
    assert error["detail"].endswith("must have 12 to 128 characters")


def test_a_user_who_leaves_is_out_at_once(client: TestClient, tokens: Tokens) -> None:
    assert client.delete("/api/v1/users/me", headers=bearer(tokens)).status_code == 204
    assert read_me(client, tokens).status_code == 401
    assert refresh(client, tokens).status_code == 400
    assert try_to_log_in(client).status_code == 400


def test_an_administrator_lists_users_page_by_page(client: TestClient, admin: Tokens) -> None:
    for name in ("bob", "cat", "dan"):
        register(client, f"{name}@example.com")
    emails = []
    for offset in (0, 2):
        page = client.get(f"/api/v1/users?limit=2&offset={offset}", headers=bearer(admin)).json()
        assert page["total"] == 4
        emails += [user["email"] for user in page["items"]]
    assert emails == [ADMIN, "bob@example.com", "cat@example.com", "dan@example.com"]


@pytest.mark.parametrize(("method", "path"), [("GET", "/users"), ("PATCH", f"/users/{uuid4()}")])
def test_nobody_else_may_manage_users(
    client: TestClient, tokens: Tokens, method: str, path: str
) -> None:
    url, body = f"/api/v1{path}", {"is_active": False}
    response = client.request(method, url, json=body, headers=bearer(tokens))
    assert response.status_code == 403
    expected = 'Bearer error="insufficient_scope", scope="admin"'
    assert response.headers["WWW-Authenticate"] == expected
    assert client.request(method, url, json=body).status_code == 401


def test_an_administrator_who_has_not_asked_for_the_scope_has_it_not(
    client: TestClient, admin: Tokens
) -> None:
    careful = log_in(client, ADMIN)
    assert client.get("/api/v1/users", headers=bearer(careful)).status_code == 403


def test_a_refresh_keeps_the_scope(client: TestClient, admin: Tokens) -> None:
    assert admin["scope"] == "admin"
    new = refresh(client, admin).json()
    assert new["scope"] == "admin"
    assert client.get("/api/v1/users", headers=bearer(new)).status_code == 200


def test_a_user_who_is_shut_out_is_out_at_once_until_let_in(
    client: TestClient, admin: Tokens, tokens: Tokens
) -> None:
    user_id = read_me(client, tokens).json()["id"]
    response = set_active(client, admin, user_id, active=False)
    assert response.status_code == 200
    assert response.json()["is_active"] is False
    assert read_me(client, tokens).status_code == 401
    assert refresh(client, tokens).status_code == 400
    assert try_to_log_in(client).status_code == 400

    set_active(client, admin, user_id, active=True)
    assert read_me(client, tokens).status_code == 401
    log_in(client)


def test_an_unknown_user_is_not_found(client: TestClient, admin: Tokens) -> None:
    assert set_active(client, admin, str(uuid4()), active=False).status_code == 404


def test_a_right_that_is_taken_away_is_gone_at_once(client: TestClient, admin: Tokens) -> None:
    execute(update(User).values(scope=""))
    assert read_me(client, admin).status_code == 200
    assert client.get("/api/v1/users", headers=bearer(admin)).status_code == 403
    new = refresh(client, admin).json()
    assert "scope" not in new
    assert client.get("/api/v1/users", headers=bearer(new)).status_code == 403

from collections.abc import Callable

import pytest
from fastapi.testclient import TestClient
from httpx2 import Response

from tests.auth.accounts import EMAIL, PASSWORD, bearer, log_in, open_account, register
from tests.limits.callers import at

WRONG = "not the right password"
UNKNOWN = "nobody@example.com"
HOME, ELSEWHERE = "192.0.2.1", "198.51.100.1"

Start = Callable[..., TestClient]


def try_password(
    client: TestClient, password: str = WRONG, email: str = EMAIL, address: str = HOME
) -> Response:
    form = {"grant_type": "password", "username": email, "password": password}
    return client.post("/api/v1/auth/token", data=form, headers=at(address))


def statuses(client: TestClient, number: int, **attempt: str) -> list[int]:
    return [try_password(client, **attempt).status_code for _ in range(number)]


@pytest.mark.parametrize("email", [EMAIL, UNKNOWN])
def test_guesses_at_an_account_are_limited(start_behind_proxy: Start, email: str) -> None:
    client = start_behind_proxy(login_limit_per_account_and_address="2/day")
    register(client)
    assert statuses(client, 3, email=email) == [400, 400, 429]
    assert try_password(client, email=email.upper()).status_code == 429
    refusal = try_password(client, PASSWORD, email=email)
    assert refusal.status_code == 429
    assert 0 < int(refusal.headers["Retry-After"]) <= 86400
    problem = refusal.json()
    assert problem["error"] == "slow_down"
    assert problem["error_description"] == problem["detail"]
    assert email not in refusal.text


def test_a_refusal_costs_no_hash(
    start_behind_proxy: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = start_behind_proxy(login_limit_per_address="1/day")
    try_password(client)
    monkeypatch.setattr("app.auth.passwords.PasswordHasher.verify", None)
    monkeypatch.setattr("app.database.session.open_session", None)
    assert statuses(client, 2) == [429, 429]


def test_whoever_guesses_does_not_shut_others_out(start_behind_proxy: Start) -> None:
    client = start_behind_proxy(login_limit_per_account_and_address="2/day")
    register(client)
    statuses(client, 3, address=ELSEWHERE)
    assert try_password(client, PASSWORD, address=ELSEWHERE).status_code == 429
    assert try_password(client, PASSWORD).status_code == 200
    assert try_password(client, email=UNKNOWN, address=ELSEWHERE).status_code == 400


def test_guesses_from_many_addresses_do_not_shut_out_who_is_known(
    start_behind_proxy: Start,
) -> None:
    client = start_behind_proxy(login_limit_per_account="5/day")
    register(client)
    assert try_password(client, PASSWORD).status_code == 200
    guesses = [try_password(client, address=f"203.0.113.{number}") for number in range(6)]
    assert [guess.status_code for guess in guesses] == [400, 400, 400, 400, 429, 429]
    assert try_password(client, PASSWORD, address=ELSEWHERE).status_code == 429
    assert try_password(client, PASSWORD).status_code == 200
    assert try_password(client, email=UNKNOWN, address="203.0.113.9").status_code == 400


def test_a_success_takes_back_the_failures_before_it(start_behind_proxy: Start) -> None:
    client = start_behind_proxy(login_limit_per_account_and_address="3/day")
    register(client)
    for _ in range(3):
        assert statuses(client, 2) == [400, 400]
        assert try_password(client, PASSWORD).status_code == 200


def test_an_address_may_not_try_account_after_account(start_behind_proxy: Start) -> None:
    client = start_behind_proxy(login_limit_per_address="2/day")
    guesses = [try_password(client, email=f"user{number}@example.com") for number in range(3)]
    assert [guess.status_code for guess in guesses] == [400, 400, 429]
    assert try_password(client, address=ELSEWHERE).status_code == 400


@pytest.mark.parametrize("path", ["register", "refresh", "logout"])
def test_what_needs_no_access_token_is_limited(start: Start, path: str) -> None:
    client = start(login_limit_per_address="2/day")
    answers = [client.post(f"/api/v1/auth/{path}") for _ in range(3)]
    assert [answer.status_code for answer in answers[:2]] == [answers[0].status_code] * 2
    assert answers[2].status_code == 429
    assert client.post("/api/v1/auth/token").status_code == 400


def test_guesses_at_the_current_password_are_limited(start_behind_proxy: Start) -> None:
    client = start_behind_proxy(login_limit_per_account_and_address="2/day")
    user = bearer(open_account(client)) | at(HOME)

    def change(current: str) -> int:
        passwords = {"current_password": current, "new_password": "another good password"}
        return client.post("/api/v1/users/me/password", json=passwords, headers=user).status_code

    assert [change(current) for current in (WRONG, WRONG, WRONG, PASSWORD)] == [403, 403, 429, 429]
    log_in(client)


def test_no_counter_tells_an_address_of_a_user(start: Start) -> None:
    client = start(redis_url="")
    register(client)
    log_in(client)
    storage = client.app.state.limiter.memory.storage  # type: ignore[attr-defined]
    assert storage.storage
    assert not [key for key in storage.storage if "ann" in key or "@" in key]

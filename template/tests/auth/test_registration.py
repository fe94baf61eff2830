import pytest
from fastapi.testclient import TestClient

from tests.auth.accounts import EMAIL, PASSWORD, log_in, register, try_to_log_in

OTHER_PASSWORD = "another good password"


def test_whoever_registers_can_log_in(client: TestClient) -> None:
    response = register(client)
    assert response.status_code == 202
    assert response.content == b""
    log_in(client)


def test_the_answer_does_not_tell_if_an_address_is_known(client: TestClient) -> None:
    first, second = register(client), register(client, password=OTHER_PASSWORD)
    for response in (first, second):
        response.headers.pop("X-Request-ID")
        # {% if rate_limiting %}
        response.headers.pop("RateLimit")
        # {% endif %}
    assert (first.status_code, first.content) == (second.status_code, second.content)
    assert first.headers == second.headers


def test_an_account_cannot_be_taken_over_by_registering_again(client: TestClient) -> None:
    register(client)
    register(client, EMAIL.upper(), OTHER_PASSWORD)
    assert try_to_log_in(client, password=OTHER_PASSWORD).status_code == 400
    log_in(client)


@pytest.mark.parametrize(
    "password",
    ["", "x" * 11, "x" * 129, "x" * 100_000, "\u0065\u0301" * 11, "valid but \ud800 not text"],
    ids=["empty", "11", "129", "100000", "11 of two", "surrogate"],
)
def test_a_password_has_12_to_128_characters(client: TestClient, password: str) -> None:
    content = '{"email": "ann@example.com", "password": %s}'
    escaped = "".join(f"\\u{ord(character):04x}" for character in password)
    response = client.post(
        "/api/v1/auth/register",
        content=content % f'"{escaped}"',
        headers={"Content-Type": "application/json"},
    )
    assert response.status_code == 422
    [error] = response.json()["errors"]
    assert error["pointer"] == "#/body/password"
    assert not password or password not in response.text


@pytest.mark.parametrize(
    "password", ["x" * 12, "x" * 128, "é" * 12, " " * 12, "e\u0301" * 128, "aaaa\0aaaa\0aaaa"]
)
def test_any_characters_make_a_password(client: TestClient, password: str) -> None:
    assert register(client, password=password).status_code == 202
    log_in(client, password=password)


@pytest.mark.parametrize(
    "email",
    [
        "",
        "ann",
        "@example.com",
        "ann@",
        "ann@example",
        "Ann <ann@example.com>",
        "ann@example.com\r\nBcc: everybody@example.com",
        "ann@example.com\0",
        "ann@example.com' OR 1=1; --",
        "ann@" + "a." * 130 + "com",
        "ann@" + "a" * 300_000 + ".com",
    ],
    ids=range(11),
)
def test_what_is_no_address_is_refused(client: TestClient, email: str) -> None:
    response = register(client, email)
    assert response.status_code == 422
    [error] = response.json()["errors"]
    assert error["pointer"] == "#/body/email"
    assert response.headers["Content-Type"] == "application/problem+json"


def test_nobody_makes_themselves_an_administrator(client: TestClient) -> None:
    account = {"email": EMAIL, "password": PASSWORD, "scope": "admin", "is_admin": True}
    assert client.post("/api/v1/auth/register", json=account).status_code == 202
    assert try_to_log_in(client, scope="admin").status_code == 400

import hmac
import json
import os
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from hashlib import sha256
from time import time
from typing import Any
from uuid import UUID, uuid4

import pytest
from fastapi.testclient import TestClient

from app.project import PROJECT
from tests.auth.accounts import Tokens, log_in, open_account, read_me, refresh

SECRET = os.environ["AUTH_SECRETS"]
NEW_SECRET = SECRET[::-1]
PUBLIC_KEY = """-----BEGIN PUBLIC KEY-----
MFwwDQYJKoZIhvcNAQEBBQADSwAwSAJBAMYfnvWtC8Id5bPKae5yXSxQTt+Zpul6
AnnZWfI2TtIarvjHBFUtXRo96y7hoL4VWOPKGCsRqMFDkrbeUjRrx8cCAwEAAQ==
-----END PUBLIC KEY-----
"""

Parts = dict[str, Any]


def encode(part: Parts) -> str:
    return urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()


def decode(token: str, part: int) -> Parts:
    text = token.split(".")[part]
    content: Parts = json.loads(urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    return content


def sign(header: Parts, claims: Parts, key: str = SECRET) -> str:
    """Write a token by hand: libraries refuse to write the tokens of an attacker."""
    text = f"{encode(header)}.{encode(claims)}"
    signature = hmac.digest(key.encode(), text.encode(), sha256)
    return f"{text}.{urlsafe_b64encode(signature).rstrip(b'=').decode()}"


def status_of(client: TestClient, token: str) -> int:
    """Use a token, and make sure that a refusal is what RFC 6750 asks for."""
    response = client.get("/api/v1/users/me", headers={"Authorization": f"Bearer {token}"})
    if response.status_code != 200:
        assert response.headers["WWW-Authenticate"].startswith('Bearer error="invalid_token"')
        assert response.headers["Content-Type"] == "application/problem+json"
        assert response.json()["detail"] == "The access token is invalid, expired or revoked."
    return response.status_code


@pytest.fixture
def tokens(client: TestClient) -> Tokens:
    return open_account(client)


@pytest.fixture
def header(tokens: Tokens) -> Parts:
    return decode(tokens["access_token"], 0)


@pytest.fixture
def claims(tokens: Tokens) -> Parts:
    return decode(tokens["access_token"], 1)


def test_an_access_token_says_what_rfc_9068_asks_for(
    client: TestClient, tokens: Tokens, header: Parts, claims: Parts
) -> None:
    assert (header["typ"], header["alg"]) == ("at+jwt", "HS256")
    assert claims["sub"] == read_me(client, tokens).json()["id"]
    assert claims["iss"] == claims["aud"] == PROJECT["slug"]
    assert claims["scope"] == ""
    assert claims["exp"] - claims["iat"] == tokens["expires_in"] == 900
    assert abs(claims["iat"] - time()) < 60
    assert UUID(claims["jti"])
    assert claims["jti"] != decode(log_in(client)["access_token"], 1)["jti"]


def test_a_token_written_by_hand_is_as_good_as_the_original(
    client: TestClient, header: Parts, claims: Parts
) -> None:
    # Without this, the refusals below would prove nothing.
    assert status_of(client, sign(header, claims)) == 200


@pytest.mark.parametrize("algorithm", ["none", "nOnE", "NONE", "", None])
def test_a_token_without_a_signature_is_refused(
    client: TestClient, header: Parts, claims: Parts, algorithm: str | None
) -> None:
    header["alg"] = algorithm
    assert status_of(client, f"{encode(header)}.{encode(claims)}.") == 401
    assert status_of(client, sign(header, claims)) == 401


@pytest.mark.parametrize("algorithm", ["HS384", "HS512", "RS256", "ES256", "PS256", "EdDSA"])
def test_a_token_cannot_choose_its_algorithm(
    client: TestClient, header: Parts, claims: Parts, algorithm: str
) -> None:
    header["alg"] = algorithm
    assert status_of(client, sign(header, claims)) == 401


@pytest.mark.parametrize("key", [PUBLIC_KEY, NEW_SECRET, SECRET[:-1], SECRET.lower(), ""])
@pytest.mark.parametrize("algorithm", ["HS256", "RS256"])
def test_a_token_signed_with_another_key_is_refused(
    client: TestClient, header: Parts, claims: Parts, algorithm: str, key: str
) -> None:
    header["alg"] = algorithm
    assert status_of(client, sign(header, claims, key)) == 401


@pytest.mark.parametrize(
    "change",
    [
        {"kid": "unknown"},
        {"kid": None},
        {"kid": ["a"]},
        {"kid": "../../../../dev/null"},
        {"kid": "' UNION SELECT 'key'; --"},
        {"typ": "JWT"},
        {"typ": None},
        {"crit": ["exp"]},
        {"b64": False, "crit": ["b64"]},
    ],
    ids=str,
)
def test_a_token_with_a_foreign_header_is_refused(
    client: TestClient, header: Parts, claims: Parts, change: Parts
) -> None:
    assert status_of(client, sign(header | change, claims)) == 401


@pytest.mark.parametrize("name", ["kid", "typ", "alg"])
def test_a_token_with_less_in_its_header_is_refused(
    client: TestClient, header: Parts, claims: Parts, name: str
) -> None:
    del header[name]
    assert status_of(client, sign(header, claims)) == 401


@pytest.mark.parametrize("jku", ["jku", "x5u", "jwk"])
def test_a_token_cannot_bring_its_own_key(
    client: TestClient, header: Parts, claims: Parts, jku: str
) -> None:
    header[jku] = {"kty": "oct", "k": "AAAA"} if jku == "jwk" else "https://evil.example/keys"
    assert status_of(client, sign(header, claims, "A" * 32)) == 401


@pytest.mark.parametrize(
    "change",
    [
        {"iss": "elsewhere"},
        {"aud": "elsewhere"},
        {"aud": [PROJECT["slug"], "elsewhere"]},
        {"exp": int(time()) - 60},
        {"exp": "never"},
        {"iat": int(time()) + 3600},
        {"nbf": int(time()) + 3600},
        {"sub": "admin"},
        {"sub": 1},
        {"sid": str(uuid4())},
        {"sid": "' OR 1=1 --"},
        {"scope": ["admin"]},
    ],
    ids=str,
)
def test_a_token_with_other_claims_is_refused_although_the_signature_is_right(
    client: TestClient, header: Parts, claims: Parts, change: Parts
) -> None:
    assert status_of(client, sign(header, claims | change)) == 401


@pytest.mark.parametrize("name", ["iss", "aud", "sub", "sid", "iat", "exp", "jti", "scope"])
def test_a_token_with_fewer_claims_is_refused(
    client: TestClient, header: Parts, claims: Parts, name: str
) -> None:
    del claims[name]
    assert status_of(client, sign(header, claims)) == 401


def test_a_tampered_token_is_refused(client: TestClient, tokens: Tokens, claims: Parts) -> None:
    header, content, signature = tokens["access_token"].split(".")
    stolen = encode(claims | {"scope": "admin"})
    changed = ("B" if signature[0] == "A" else "A") + signature[1:]
    assert status_of(client, f"{header}.{stolen}.{signature}") == 401
    assert status_of(client, f"{header}.{content}.{changed}") == 401
    assert status_of(client, f"{header}.{content}.") == 401
    assert status_of(client, f"{header}.{content}") == 401


@pytest.mark.parametrize(
    "token",
    ["xyzzy", "....", "a.b.c", "é", "null", "'; DROP TABLE users; --", "A" * 5000, "[" * 5000],
)
def test_what_is_no_token_is_refused(client: TestClient, token: str) -> None:
    headers = {b"Authorization": f"Bearer {token}".encode()}
    response = client.get("/api/v1/users/me", headers=headers)
    assert response.status_code == 401
    assert token not in response.text


def test_a_refresh_token_is_no_access_token(client: TestClient, tokens: Tokens) -> None:
    assert status_of(client, tokens["refresh_token"]) == 401


def test_an_expired_token_is_refused_within_seconds(
    client: TestClient, header: Parts, claims: Parts
) -> None:
    assert status_of(client, sign(header, claims | {"exp": int(time()) - 5})) == 200
    assert status_of(client, sign(header, claims | {"exp": int(time()) - 15})) == 401


@pytest.mark.parametrize("value", ["", "Basic YW5uOnBhc3N3b3Jk", "bearer", "Token abc"])
def test_a_request_without_a_token_is_asked_for_one(client: TestClient, value: str) -> None:
    response = client.get("/api/v1/users/me", headers={"Authorization": value})
    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"] == "Bearer"
    assert response.headers["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_the_name_of_the_scheme_may_be_written_in_any_case(
    client: TestClient, tokens: Tokens, scheme: str
) -> None:
    headers = {"Authorization": f"{scheme} {tokens['access_token']}"}
    assert client.get("/api/v1/users/me", headers=headers).status_code == 200


def test_a_secret_can_be_changed_without_logging_anybody_out(
    start: Callable[..., TestClient],
) -> None:
    before = start(auth_secrets=SECRET)
    old = open_account(before)
    between = start(auth_secrets=f"{NEW_SECRET},{SECRET}")
    new = log_in(between)
    assert read_me(between, old).status_code == 200
    assert decode(old["access_token"], 0)["kid"] != decode(new["access_token"], 0)["kid"]
    after = start(auth_secrets=NEW_SECRET)
    assert read_me(after, old).status_code == 401
    assert read_me(after, new).status_code == 200
    assert refresh(after, old).status_code == 200


def test_two_services_with_one_secret_do_not_take_each_others_tokens(
    start: Callable[..., TestClient],
) -> None:
    here, there = start(jwt_audience="here"), start(jwt_audience="there")
    tokens = open_account(here)
    assert read_me(here, tokens).status_code == 200
    assert read_me(there, tokens).status_code == 401

"""What passwords cost: as much for everybody, and nothing to those who do something else."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from statistics import median
from time import perf_counter

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher
from sqlalchemy import select, update

from app.auth.passwords import HASH_OF_NOBODY, PasswordHasher
from app.users.models import User
from tests.auth.accounts import (
    EMAIL,
    PASSWORD,
    assert_login_refused,
    log_in,
    register,
    try_to_log_in,
)
from tests.database.databases import execute


@pytest.fixture(autouse=True)
def costs() -> None:
    """Hash passwords as in production."""


class CountingHasher(PasswordHasher):
    """A hasher that tells what it has been asked for."""

    def __init__(self) -> None:
        super().__init__(limit=2)
        self.verified: list[str | None] = []

    async def verify(self, password: str, password_hash: str | None) -> str | None:
        self.verified.append(password_hash)
        return await super().verify(password, password_hash)


@pytest.mark.parametrize("email", [EMAIL, "nobody@example.com", "no address"])
def test_one_hash_is_verified_whoever_it_is(app: FastAPI, email: str) -> None:
    hasher = app.state.password_hasher = CountingHasher()
    with TestClient(app) as client:
        register(client)
        assert_login_refused(client, email, "not the right password")
    assert len(hasher.verified) == 1


def test_the_hash_of_nobody_costs_as_much_as_any_other() -> None:
    hasher = PasswordHasher(limit=1)
    real_hash = asyncio.run(hasher.hash(PASSWORD))
    assert HASH_OF_NOBODY.rsplit("$", 2)[0] == real_hash.rsplit("$", 2)[0]
    assert len(HASH_OF_NOBODY) == len(real_hash)
    assert asyncio.run(hasher.verify(PASSWORD, None)) is None


def test_an_unknown_user_and_a_wrong_password_take_the_same_time(client: TestClient) -> None:
    register(client)
    times: dict[str, list[float]] = {EMAIL: [], "nobody@example.com": []}
    for _ in range(9):
        for email, taken in times.items():
            started = perf_counter()
            try_to_log_in(client, email, "not the right password")
            taken.append(perf_counter() - started)
    known, unknown = (median(taken) for taken in times.values())
    # Without a hash, the answer for an unknown user would take a twentieth of the time.
    assert 0.5 < known / unknown < 2


def test_known_and_unknown_addresses_take_the_same_time(client: TestClient) -> None:
    register(client)
    known: list[float] = []
    unknown: list[float] = []
    for number in range(9):
        for taken, email in ((known, EMAIL), (unknown, f"user{number}@example.com")):
            started = perf_counter()
            register(client, email)
            taken.append(perf_counter() - started)
    assert 0.5 < median(known) / median(unknown) < 2


def test_a_login_strengthens_a_hash_of_lower_costs(client: TestClient) -> None:
    register(client)
    weak_hash = PasswordHash([Argon2Hasher(1, 8, 1)]).hash(PASSWORD)
    execute(update(User).values(password_hash=weak_hash))
    assert_login_refused(client, EMAIL, "not the right password")
    assert execute(select(User.password_hash)) == [(weak_hash,)]
    log_in(client)
    [(strong_hash,)] = execute(select(User.password_hash))
    assert strong_hash.startswith("$argon2id$v=19$m=65536,t=3,p=1$")
    log_in(client)
    assert execute(select(User.password_hash)) == [(strong_hash,)]


def test_hashing_keeps_to_its_limit_and_lets_others_through(
    start: Callable[..., TestClient],
) -> None:
    client = start(password_hashing_limit=1)
    register(client)
    with ThreadPoolExecutor(8) as pool:
        logins = [pool.submit(try_to_log_in, client) for _ in range(8)]
        answered = 0
        while not all(login.done() for login in logins):
            assert client.get("/livez").status_code == 200
            answered += 1
            assert isinstance(client.app, FastAPI)
            assert client.app.state.password_hasher.limiter.borrowed_tokens <= 1
    assert {login.result().status_code for login in logins} == {200}
    assert answered > 8


def test_a_very_long_password_is_refused_before_it_costs_time(client: TestClient) -> None:
    register(client)
    started = perf_counter()
    assert_login_refused(client, EMAIL, "a" + "\u0301\u0316" * 60_000)
    # Normalising it would take some ten seconds.
    assert perf_counter() - started < 2

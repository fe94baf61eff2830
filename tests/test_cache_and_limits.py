"""Processes share what they keep and count through Redis, and go on without it."""

import json
import statistics
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.redis_servers import RedisServer, firewall, redis_server
from tests.rendering import write
from tests.services import Service, booted, install, migrate

pytestmark = pytest.mark.slow

ITEMS = "/api/v1/items"
PASSWORD = "correct horse battery staple"  # noqa: S105
HTTP = httpx2.Client(timeout=30)
ANSWERS = {"database": "sqlite", "caching": True, "cors": False}


@pytest.fixture(scope="module")
def project(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give an installed project with users, items, a cache and limits."""
    project = write(template, tmp_path_factory.mktemp("cached"), ANSWERS)
    install(project)
    migrate(project, {"DATABASE_URL": f"sqlite:///{project}/app.db"})
    return project


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """Give a Redis server of our own."""
    with redis_server(tmp_path_factory.mktemp("redis")) as server:
        yield server


@contextmanager
def processes(project: Path, redis: RedisServer, **settings: str) -> Iterator[list[Service]]:
    """Start two processes of one service, with names of their own in Redis."""
    shared = {"REDIS_URL": redis.url, "REDIS_NAMESPACE": f"test-{time.monotonic_ns()}"}
    with ExitStack() as stack:
        yield [stack.enter_context(booted(project, **shared, **settings)) for _ in range(2)]


@pytest.fixture(scope="module")
def pair(project: Path, redis: RedisServer) -> Iterator[list[Service]]:
    """Give two processes for tests that stop nothing."""
    with processes(project, redis) as services:
        yield services


def log_in(service: Service, email: str) -> dict[str, str]:
    """Open an account, and give the headers that show who it is."""
    url = f"{service.url}/api/v1/auth"
    HTTP.post(f"{url}/register", json={"email": email, "password": PASSWORD})
    form = {"grant_type": "password", "username": email, "password": PASSWORD}
    tokens = HTTP.post(f"{url}/token", data=form).json()
    return {"Authorization": f"Bearer {tokens['access_token']}"}


def read(service: Service, headers: dict[str, str], place: str = ITEMS) -> httpx2.Response:
    """Read, and expect that it works."""
    response = HTTP.get(f"{service.url}{place}", headers=headers)
    assert response.status_code == 200
    return response


def is_kept(response: httpx2.Response) -> bool:
    """Tell whether an answer was kept."""
    return response.headers["Cache-Status"] == "app; hit"


def add(service: Service, headers: dict[str, str], name: str) -> str:
    """Add an item, and give its place."""
    response = HTTP.post(f"{service.url}{ITEMS}", json={"name": name}, headers=headers)
    assert response.status_code == 201
    return response.headers["Location"]


def events(service: Service, name: str) -> list[dict[str, Any]]:
    """List the log lines of an event."""
    lines = map(json.loads, service.log.read_text("utf-8").splitlines())
    return [line for line in lines if line["event"] == name]


@dataclass
class Load:
    """Callers who read one after the other, and what they met."""

    service: Service
    headers: dict[str, str]
    stop: threading.Event = field(default_factory=threading.Event)
    statuses: list[int] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)

    def call(self) -> None:
        """Read until it is enough."""
        while not self.stop.is_set():
            start = time.perf_counter()
            response = HTTP.get(f"{self.service.url}{ITEMS}", headers=self.headers)
            self.statuses.append(response.status_code)
            self.seconds.append(time.perf_counter() - start)

    @contextmanager
    def applied(self, callers: int = 4) -> Iterator[None]:
        """Let callers read while something happens."""
        threads = [threading.Thread(target=self.call) for _ in range(callers)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self.stop.set()
            for thread in threads:
                thread.join()


def test_processes_share_what_they_keep(pair: list[Service]) -> None:
    one, other = pair
    ann = log_in(one, "ann@example.com")
    assert not is_kept(read(one, ann))
    assert is_kept(read(other, ann))
    for writer, reader in ((one, other), (other, one)):
        before = read(reader, ann).json()["total"]
        place = add(writer, ann, f"Lamp of {writer.url}")
        assert read(reader, ann).json()["total"] == before + 1
        read(reader, ann, place)
        HTTP.patch(f"{writer.url}{place}", json={"quantity": 5}, headers=ann)
        assert read(reader, ann, place).json()["quantity"] == 5


def test_a_write_is_seen_by_readers_who_never_pause(pair: list[Service]) -> None:
    cleo = log_in(pair[0], "cleo@example.com")
    place = add(pair[0], cleo, "Clock")
    load = Load(pair[1], cleo)
    with load.applied():
        for quantity in range(100):
            writer, reader = pair if quantity % 2 else reversed(pair)
            changed = HTTP.patch(f"{writer.url}{place}", json={"quantity": quantity}, headers=cleo)
            assert changed.status_code == 200
            [item] = read(reader, cleo).json()["items"]
            assert item["quantity"] == quantity
    assert set(load.statuses) == {200}


def test_nobody_is_answered_with_what_belongs_to_another(pair: list[Service]) -> None:
    people = ("dora@example.com", "emil@example.com", "fay@example.com")
    headers = {person: log_in(pair[0], person) for person in people}
    places = {person: add(pair[0], headers[person], person) for person in people}
    tags = {person: read(pair[0], headers[person]).headers["ETag"] for person in people}
    faults: list[str] = []

    def pry(person: str) -> None:
        own = headers[person]
        for service, other in zip(cycle(pair), people * 15, strict=False):
            stolen = own | {"If-None-Match": f"W/{tags[other]}"}
            [listed] = [item["name"] for item in read(service, own).json()["items"]]
            answer = HTTP.get(f"{service.url}{ITEMS}", headers=stolen)
            foreign = HTTP.get(f"{service.url}{places[other]}", headers=stolen)
            wanted = (304, 200) if other == person else (200, 404)
            if listed != person or (answer.status_code, foreign.status_code) != wanted:
                faults.append(f"{person} {other} {listed} {answer} {foreign}")

    threads = [threading.Thread(target=pry, args=(person,)) for person in people]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not faults
    for token in ("", "Bearer", "Bearer no.such.token"):
        refused = {"Authorization": token, "If-None-Match": "*"}
        assert HTTP.get(f"{pair[0].url}{ITEMS}", headers=refused).status_code == 401


def test_processes_count_together_and_believe_no_caller(project: Path, redis: RedisServer) -> None:
    with processes(project, redis, RATE_LIMIT="6/hour") as services:
        statuses = [
            HTTP.get(
                f"{service.url}{ITEMS}",
                headers={
                    "X-Forwarded-For": f"192.0.2.{number}",
                    "Forwarded": f"for=192.0.2.{number}",
                    "X-Real-IP": f"192.0.2.{number}",
                },
            ).status_code
            for number, service in zip(range(10), cycle(services), strict=False)
        ]
    assert statuses == [401] * 6 + [429] * 4


def test_a_trusted_proxy_tells_callers_apart(project: Path, redis: RedisServer) -> None:
    limits = {"TRUSTED_PROXIES": "127.0.0.0/8", "RATE_LIMIT": "1/hour"}
    with processes(project, redis, **limits) as (service, _):

        def call(forwarded: str) -> int:
            headers = {"X-Forwarded-For": forwarded}
            return HTTP.get(f"{service.url}{ITEMS}", headers=headers).status_code

        callers = (
            "192.0.2.1",
            "192.0.2.2",
            "198.51.100.1, 192.0.2.1",
            "2001:db8::1",
            "2001:db8::2",
        )
        assert [call(caller) for caller in callers] == [401, 401, 429, 401, 429]


def test_guesses_at_a_password_end_by_default(project: Path, redis: RedisServer) -> None:
    limits = {
        "LOGIN_LIMIT_PER_ADDRESS": "60/minute",
        "LOGIN_LIMIT_PER_ACCOUNT_AND_ADDRESS": "10/10minutes",
        "LOGIN_LIMIT_PER_ACCOUNT": "100/10minutes",
    }
    with processes(project, redis, **limits) as services:
        log_in(services[0], "gus@example.com")
        for email in ("gus@example.com", "nobody@example.com"):
            form = {"grant_type": "password", "username": email, "password": "not the right one"}
            answers = [
                HTTP.post(f"{service.url}/api/v1/auth/token", data=form)
                for _, service in zip(range(12), cycle(services), strict=False)
            ]
            assert [answer.status_code for answer in answers] == [400] * 10 + [429] * 2
            assert answers[-1].json()["error"] == "slow_down"
        right = form | {"username": "gus@example.com", "password": PASSWORD}
        assert HTTP.post(f"{services[0].url}/api/v1/auth/token", data=right).status_code == 429


@pytest.mark.parametrize("outage", ["stopped", "hanging"])
def test_a_service_goes_on_without_redis(project: Path, redis: RedisServer, outage: str) -> None:
    with processes(project, redis, CACHE_LIFETIME="PT1H") as services:
        one, other = services
        headers = log_in(one, f"{outage}@example.com")
        place = add(one, headers, "Lamp")
        assert not is_kept(read(one, headers))
        assert is_kept(read(other, headers))

        load = Load(one, headers)
        with load.applied():
            time.sleep(1)
            redis.hang() if outage == "hanging" else redis.stop()
            time.sleep(3)
            assert not is_kept(read(one, headers))
            assert not is_kept(read(other, headers))
            # this write ends nothing that Redis keeps, and Redis keeps it over the outage
            HTTP.patch(f"{one.url}{place}", json={"quantity": 7}, headers=headers)
            assert read(one, headers).json()["items"][0]["quantity"] == 7
            assert read(other, headers).json()["items"][0]["quantity"] == 7
            redis.wake() if outage == "hanging" else redis.start()
            time.sleep(3)
        assert set(load.statuses) == {200}
        p99 = statistics.quantiles(load.seconds, n=100)[98]
        assert p99 < 0.5
        assert max(load.seconds) < 2

        for service in services:
            assert read(service, headers).json()["items"][0]["quantity"] == 7
            assert is_kept(read(service, headers))
            assert len(events(service, "redis_is_away")) == 1
            assert len(events(service, "redis_is_back")) == 1
            assert not [line for line in events(service, "request") if line["status"] >= 500]


def test_connections_that_were_reset_are_opened_anew(project: Path, redis: RedisServer) -> None:
    with (
        firewall(redis) as wall,
        booted(project, REDIS_URL=wall.url, REDIS_NAMESPACE="reset") as service,
    ):
        headers = log_in(service, "hal@example.com")
        for _ in range(10):
            read(service, headers)
            assert is_kept(read(service, headers))
            wall.reset()
        assert service.stop() == 0
    assert not events(service, "redis_is_away")


def test_limits_go_on_without_redis(project: Path, redis: RedisServer) -> None:
    with processes(project, redis, RATE_LIMIT="4/hour") as services:

        def call() -> list[list[int]]:
            return [
                [HTTP.get(f"{service.url}{ITEMS}").status_code for _ in range(6)]
                for service in services
            ]

        assert call() == [[401] * 4 + [429] * 2, [429] * 6]
        redis.stop()
        try:
            # each process counts for itself, from nothing
            assert call() == [[401] * 4 + [429] * 2] * 2
        finally:
            redis.start()
        time.sleep(2)
        assert call() == [[429] * 6] * 2
        for service in services:
            assert len(events(service, "redis_is_away")) == 1
            assert len(events(service, "redis_is_back")) == 1

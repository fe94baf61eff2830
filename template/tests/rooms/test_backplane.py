import asyncio
import time
from collections.abc import Callable
from typing import cast

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from redis import Redis

from app.redis import create_client
from app.rooms import backplane
from app.rooms.backplane import Backplane
from app.settings import Settings
from tests.redis import SERVER, needs_redis
from tests.rooms.people import Join, hear, say

AWAY = "redis://127.0.0.1:1/0"


def test_members_of_one_process_talk_while_redis_is_away(
    start: Callable[..., TestClient], join: Join
) -> None:
    client = start(redis_url=AWAY)
    with join(client, "ann") as ann:
        began = time.monotonic()
        with join(client, "bob") as bob:
            for number in range(3):
                say(bob, str(number))
            for session in (ann, bob):
                assert [hear(session)["text"] for _ in range(3)] == ["0", "1", "2"]
        assert time.monotonic() - began < 2


def test_redis_may_be_away_for_a_day(
    start: Callable[..., TestClient], join: Join, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backplane, "LONGEST_PAUSE", 0.05)
    client = start(redis_url=AWAY)
    connection = cast("FastAPI", client.app).state.hub.backplane
    connection.failures = 40_000
    deadline = time.monotonic() + 20
    while connection.failures < 40_002:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    with join(client, "ann") as ann:
        hear(ann, "welcome")


@needs_redis
def test_processes_share_rooms_and_listen_to_those_with_members_only(
    start: Callable[..., TestClient], join: Join, redis_namespace: str
) -> None:
    def channels() -> set[str]:
        with Redis.from_url(SERVER, decode_responses=True) as redis:
            return set(redis.pubsub_channels(f"{redis_namespace}*"))

    one, two = start(), start()
    with join(one, "ann") as ann, join(two, "bob") as bob, join(two, "amy", "kitchen"):
        assert hear(ann, "joined")["member"]["name"] == "bob"
        for number in range(20):
            say(ann, str(number))
        for session in (ann, bob):
            assert [hear(session)["text"] for _ in range(20)] == [str(n) for n in range(20)]
        names = {f"{redis_namespace}:rooms:{room}" for room in ("", "lobby", "kitchen")}
        assert channels() == names
        bob.close()
        assert hear(ann, "left")["member"]["name"] == "bob"
    deadline = time.monotonic() + 5
    while channels() != {f"{redis_namespace}:rooms:"}:
        assert time.monotonic() < deadline
        time.sleep(0.05)


@needs_redis
def test_a_stop_at_any_moment_ends_the_talk_with_redis(redis_namespace: str) -> None:
    async def come_and_go(steps: int) -> None:
        async with create_client(Settings(environment="test")) as redis:
            backplane = Backplane(redis, redis_namespace, print)
            async with backplane.connected():
                async with backplane.follow("lobby"):
                    backplane.publish("lobby", "Hello")
                for _ in range(steps):
                    await asyncio.sleep(0)

    for steps in range(12):
        asyncio.run(asyncio.wait_for(come_and_go(steps), 10))

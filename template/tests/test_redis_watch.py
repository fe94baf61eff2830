from collections.abc import Callable
from time import monotonic, sleep

import pytest
from fastapi import APIRouter, Request
from fastapi.testclient import TestClient
from redis.asyncio import Redis

from app.redis_watch import RedisAwayError
from tests.redis import needs_redis
from tests.test_redis import AWAY

router = APIRouter()


@router.get("/pings")
async def ping(request: Request) -> str:
    """Use Redis as a feature does."""
    watch = request.app.state.redis_watch
    try:
        async with watch.use():
            await Redis(connection_pool=watch.pool).ping()
    except RedisAwayError:
        return "away"
    return "pong"


def until_redis_is_back(client: TestClient) -> None:
    """Wait until the service uses it again."""
    deadline = monotonic() + 10
    while client.app.state.redis_watch.probe:  # type: ignore[attr-defined]
        assert monotonic() < deadline
        sleep(0.05)


def test_nobody_waits_for_redis_once_it_is_away(
    start: Callable[..., TestClient],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("app.redis_watch.PROBE_SECONDS", 60)
    client = start(router, redis_url=AWAY)
    waits = 0

    async def refuse() -> None:
        nonlocal waits
        waits += 1
        raise ConnectionError

    watch = client.app.state.redis_watch  # type: ignore[attr-defined]
    monkeypatch.setattr(watch.pool, "get_connection", refuse)
    for _ in range(20):
        assert client.get("/pings").json() == "away"
    assert waits == 1
    assert capsys.readouterr().out.count("redis_is_away") == 1


@needs_redis
def test_redis_is_used_again_when_it_is_back(
    start: Callable[..., TestClient],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("app.redis_watch.PROBE_SECONDS", 0.5)
    client = start(router)
    assert client.get("/pings").json() == "pong"
    assert client.portal
    watch = client.app.state.redis_watch  # type: ignore[attr-defined]
    client.portal.call(watch.turn_away, ConnectionError("for a test"))
    assert client.get("/pings").json() == "away"
    until_redis_is_back(client)
    assert client.get("/pings").json() == "pong"
    assert capsys.readouterr().out.count("redis_is_back") == 1

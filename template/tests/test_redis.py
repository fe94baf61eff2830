import asyncio
from collections.abc import Callable

import pytest
from fastapi.testclient import TestClient
from pydantic import ValidationError
from redis.asyncio.connection import parse_url
from redis.exceptions import ConnectionError as LostConnectionError

from app.redis import TcpConnection
from app.settings import Settings
from tests.redis import SERVER, needs_redis

AWAY = "redis://127.0.0.1:1/0"


def test_without_an_address_nothing_is_shared(start: Callable[..., TestClient]) -> None:
    client = start(redis_url="")
    assert "redis" not in client.get("/readyz").json()["checks"]


@needs_redis
def test_readiness_checks_redis(client: TestClient) -> None:
    assert client.get("/readyz").json()["checks"]["redis"] == "ok"


def test_readiness_tells_when_redis_is_away(start: Callable[..., TestClient]) -> None:
    response = start(redis_url=AWAY).get("/readyz")
    # {% if not background_tasks and not websockets %}
    status, sign = 200, '"status":"degraded"'
    # {% else %}
    status, sign = 503, "#/checks/redis"
    # {% endif %}
    assert response.status_code == status
    assert sign in response.text


@pytest.mark.skipif(not SERVER.startswith("redis:"), reason="TEST_REDIS_URL is no redis://")
def test_a_connection_that_was_reset_is_not_used_again() -> None:
    class LostConnection(TcpConnection):
        def lose(self) -> None:
            assert self._writer
            self._writer.transport.abort()

    async def lose() -> None:
        connection = LostConnection(**parse_url(SERVER))
        await connection.send_command("PING")
        assert await connection.read_response() == b"PONG"
        assert not await connection.can_read()
        connection.lose()
        with pytest.raises(LostConnectionError):
            await connection.can_read()
        await connection.disconnect()

    asyncio.run(lose())


@pytest.mark.parametrize("url", ["localhost:6379", "http://localhost", "redis://host:port/0"])
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(ValidationError, match="must look like redis://"):
        Settings(redis_url=url)


@pytest.mark.parametrize(
    "url",
    ["redis://host", "rediss://:secret@host:6380/1?ssl_cert_reqs=none", "unix:///run/redis.sock"],
)
def test_addresses_are_accepted(url: str) -> None:
    settings = Settings(redis_url=url)
    assert settings.redis_url.get_secret_value() == url
    assert "secret@" not in repr(settings)


@pytest.mark.parametrize(
    ("url", "used"),
    [
        ("rediss://host:6380/0", "rediss://host:6380/0?ssl_cert_reqs=none"),
        ("rediss://host?db=1", "rediss://host?db=1&ssl_cert_reqs=none"),
        ("rediss://host?ssl_cert_reqs=required", "rediss://host?ssl_cert_reqs=required"),
        ("redis://host", "redis://host"),
        ("", ""),
    ],
)
def test_any_certificate_will_do_where_that_is_said(url: str, used: str) -> None:
    settings = Settings(redis_url=url, redis_verify_certificate=False)
    assert settings.redis_url.get_secret_value() == used
    assert Settings(redis_url=url).redis_url.get_secret_value() == url
# {% if background_tasks or caching or websockets %}


def test_several_workers_need_redis() -> None:
    with pytest.raises(ValidationError, match="is missing, and WORKERS is above 1"):
        Settings(redis_url="", workers=2)
# {% endif %}

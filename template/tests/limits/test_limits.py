import re
from collections.abc import Callable
from time import sleep

import pytest
from fastapi import APIRouter
from fastapi.testclient import TestClient
from httpx2 import Response
from pydantic import ValidationError
from starlette.websockets import WebSocket, WebSocketDisconnect

from app.limits.dependencies import rate_limit
from app.settings import Settings
# {% if jwt_auth %}
from tests.auth.accounts import bearer, open_account
# {% endif %}
from tests.limits.callers import at
from tests.redis import needs_redis
from tests.test_redis import AWAY

router = APIRouter()


@router.get("/things")
async def read_things() -> str:
    return "things"


@router.get("/reports", dependencies=[rate_limit("2/day")])
async def read_reports() -> str:
    return "reports"


@router.get("/other-reports", dependencies=[rate_limit("2/day"), rate_limit("10/hour")])
async def read_other_reports() -> str:
    return "other reports"


@router.websocket("/talks")
async def talk(websocket: WebSocket) -> None:
    await websocket.accept()
    await websocket.close()


def assert_refused(response: Response) -> None:
    assert response.status_code == 429
    assert response.headers["Content-Type"] == "application/problem+json"
    assert response.json()["title"] == "Too Many Requests"
    assert re.fullmatch(r"[1-9]\d*", response.headers["Retry-After"])


def test_a_caller_has_a_number_of_requests(start: Callable[..., TestClient]) -> None:
    client = start(router, rate_limit="2/day")
    for left in (1, 0):
        response = client.get("/things")
        assert response.status_code == 200
        assert response.headers["RateLimit-Policy"] == '"default";q=2;w=86400'
        assert re.fullmatch(rf'"default";r={left};t=[1-9]\d*', response.headers["RateLimit"])
    assert_refused(client.get("/things"))
    assert_refused(client.get("/nowhere"))
    assert client.get("/things").headers["RateLimit"].startswith('"default";r=0;t=')


def test_health_and_documentation_are_not_limited(start: Callable[..., TestClient]) -> None:
    client = start(rate_limit="1/day")
    client.get("/nowhere")
    for path in ("/livez", "/readyz", "/docs", "/redoc", "/openapi.json"):
        response = client.get(path)
        assert response.status_code == 200
        assert "RateLimit" not in response.headers
    assert client.get("/docs/assets/favicon.png").status_code == 200
    assert_refused(client.get("/docs/other"))


def test_after_the_time_that_is_told_there_is_more(start: Callable[..., TestClient]) -> None:
    client = start(router, rate_limit="2/second")
    answers = [client.get("/things") for _ in range(6)]
    refused = next(answer for answer in answers if answer.status_code == 429)
    sleep(int(refused.headers["Retry-After"]))
    assert client.get("/things").status_code == 200


def test_each_address_has_its_own(start_behind_proxy: Callable[..., TestClient]) -> None:
    client = start_behind_proxy(router, rate_limit="1/day")
    for address in ("192.0.2.1", "192.0.2.2", "2001:db8::1"):
        assert client.get("/things", headers=at(address)).status_code == 200
        assert_refused(client.get("/things", headers=at(address)))


def test_a_route_has_a_limit_of_its_own(start: Callable[..., TestClient]) -> None:
    client = start(router, rate_limit="6/day")
    for _ in range(2):
        response = client.get("/reports")
        assert response.status_code == 200
        assert response.headers["RateLimit-Policy"] == (
            '"default";q=6;w=86400, "2/day";q=2;w=86400'
        )
    assert '"2/day";r=0;t=' in response.headers["RateLimit"]
    assert_refused(client.get("/reports"))
    other = client.get("/other-reports")
    assert other.status_code == 200
    assert '"10/hour";q=10;w=3600' in other.headers["RateLimit-Policy"]
    assert client.get("/things").status_code == 200


def test_websockets_are_counted(start: Callable[..., TestClient]) -> None:
    client = start(router, rate_limit="1/day")
    with client.websocket_connect("/talks"):
        pass
    with pytest.raises(WebSocketDisconnect) as refusal, client.websocket_connect("/talks"):
        pass
    assert refusal.value.code == 1013


def test_the_description_tells_of_the_limit(client: TestClient) -> None:
    for path, operations in client.get("/openapi.json").json()["paths"].items():
        for operation in operations.values():
            assert ("429" in operation["responses"]) is (path not in {"/livez", "/readyz"})


def test_memory_is_bounded(
    start_behind_proxy: Callable[..., TestClient], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.limits.limiter.MAX_COUNTERS", 10)
    client = start_behind_proxy(router, redis_url="", rate_limit="1/day")
    for number in range(30):
        assert client.get("/things", headers=at(f"192.0.2.{number}")).status_code == 200
    storage = client.app.state.limiter.memory.storage  # type: ignore[attr-defined]
    assert len(storage.storage) == len(storage.expirations) == 10
    assert_refused(client.get("/things", headers=at("192.0.2.29")))


def test_without_redis_each_process_counts(
    start: Callable[..., TestClient], capsys: pytest.CaptureFixture[str]
) -> None:
    client = start(router, rate_limit="2/day", redis_url=AWAY)
    assert [client.get("/things").status_code for _ in range(4)] == [200, 200, 429, 429]
    assert capsys.readouterr().out.count("redis_is_away") == 1


@needs_redis
def test_processes_count_together(start: Callable[..., TestClient]) -> None:
    one, other = (start(router, rate_limit="3/day") for _ in range(2))
    statuses = [client.get("/things").status_code for client in (one, other, one, other, one)]
    assert statuses == [200, 200, 200, 429, 429]


@pytest.mark.parametrize("limit", ["", "many", "0/minute", "5", "5/fortnight", "-1/minute"])
def test_what_is_no_limit_is_refused(limit: str) -> None:
    with pytest.raises(ValidationError, match="must look like 300/minute"):
        Settings(rate_limit=limit)
# {% if cors %}


def test_pages_of_other_origins_may_read_what_is_left(start: Callable[..., TestClient]) -> None:
    client = start(router, rate_limit="1/day", cors_origins="https://app.example.com")
    headers = {"Origin": "https://app.example.com"}
    preflight = headers | {"Access-Control-Request-Method": "GET"}
    answers = [client.get("/things", headers=headers) for _ in range(2)]
    for response in answers:
        exposed = response.headers["Access-Control-Expose-Headers"]
        assert {"RateLimit", "RateLimit-Policy", "Retry-After"} <= set(exposed.split(", "))
    assert_refused(answers[1])
    assert client.options("/things", headers=preflight).status_code == 200
# {% endif %}
# {% if jwt_auth %}


def test_each_user_has_their_own_wherever_they_are(
    start_behind_proxy: Callable[..., TestClient],
) -> None:
    client = start_behind_proxy(router, rate_limit="4/day")
    ann, bob = (
        bearer(open_account(client, email)) for email in ("ann@example.com", "bob@example.com")
    )
    assert_refused(client.get("/things"))
    for user in (ann, bob):
        for number in range(4):
            headers = user | at(f"192.0.2.{number}")
            assert client.get("/things", headers=headers).status_code == 200
        assert_refused(client.get("/things", headers=user))


def test_a_token_that_is_not_ours_counts_for_the_address(start: Callable[..., TestClient]) -> None:
    client = start(router, rate_limit="2/day")
    for number in range(2):
        client.get("/things", headers={"Authorization": f"Bearer no.such.token{number}"})
    assert_refused(client.get("/things", headers={"Authorization": "Bearer another"}))
    assert_refused(client.get("/things", headers={"Authorization": "Basic YTpi"}))
# {% endif %}

from collections.abc import Callable

import pytest
from fastapi import APIRouter
from fastapi.testclient import TestClient
from pydantic import ValidationError

from app.settings import Settings

ORIGIN = "https://app.example.com"
PREFLIGHT = {
    "Origin": ORIGIN,
    "Access-Control-Request-Method": "PUT",
    "Access-Control-Request-Headers": "Authorization, X-Request-ID",
}

router = APIRouter()


@router.post("/divide")
async def divide(by: int) -> float:
    return 1 / by


@pytest.fixture
def client(start: Callable[..., TestClient]) -> TestClient:
    return start(cors_origins=f"{ORIGIN},http://localhost:5173", cors_allow_credentials=True)


def test_a_preflight_from_an_allowed_origin_is_answered(client: TestClient) -> None:
    response = client.options("/anything", headers=PREFLIGHT)
    assert response.status_code == 200
    assert response.headers["Access-Control-Allow-Origin"] == ORIGIN
    assert response.headers["Access-Control-Allow-Credentials"] == "true"
    assert "PUT" in response.headers["Access-Control-Allow-Methods"]
    assert response.headers["Access-Control-Allow-Headers"] == "Authorization, X-Request-ID"
    assert response.headers["Access-Control-Max-Age"] == "600"
    assert "X-Request-ID" in response.headers


def test_a_preflight_from_elsewhere_is_a_problem(client: TestClient) -> None:
    response = client.options("/anything", headers=PREFLIGHT | {"Origin": "https://evil.example"})
    assert response.status_code == 400
    assert response.headers["Content-Type"] == "application/problem+json"
    assert response.json()["detail"] == "Disallowed CORS origin"
    assert "Access-Control-Allow-Origin" not in response.headers
    assert "Origin" in response.headers["Vary"]


def test_a_page_may_read_the_request_id(client: TestClient) -> None:
    response = client.get("/livez", headers={"Origin": ORIGIN})
    assert response.headers["Access-Control-Allow-Origin"] == ORIGIN
    assert "X-Request-ID" in response.headers["Access-Control-Expose-Headers"]


def test_a_page_may_read_errors(start: Callable[..., TestClient]) -> None:
    client = start(router, cors_origins=ORIGIN, max_body_bytes=10)
    headers = {"Origin": ORIGIN}
    responses = [
        client.post("/divide?by=none", headers=headers),
        client.post("/divide?by=0", headers=headers),
        client.post("/divide?by=1", headers=headers, content="x" * 11),
        client.post("/nowhere", headers=headers),
        client.post("/nowhere", headers=headers | {"Host": "evil.example"}),
    ]
    assert [response.status_code for response in responses] == [422, 500, 413, 404, 400]
    for response in responses:
        assert response.headers["Content-Type"] == "application/problem+json"
        assert response.headers["Access-Control-Allow-Origin"] == ORIGIN


def test_no_origin_is_allowed_by_default(start: Callable[..., TestClient]) -> None:
    response = start().get("/livez", headers={"Origin": ORIGIN})
    assert "Access-Control-Allow-Origin" not in response.headers


@pytest.mark.parametrize(
    "origin",
    [
        "app.example.com",
        f"{ORIGIN}/",
        f"{ORIGIN}/path",
        "https://a:b@c.example",
        "https://",
        "null",
        "https://a.example:port",
        "HTTPS://APP.EXAMPLE.COM",
        "https://*.example.com",
    ],
)
def test_what_is_no_origin_is_refused(origin: str) -> None:
    with pytest.raises(ValidationError, match="must list origins"):
        Settings(cors_origins=origin)


@pytest.mark.parametrize("origin", [ORIGIN, "http://localhost:5173", "http://[::1]:8000", "*"])
def test_origins_are_accepted(origin: str) -> None:
    assert Settings(cors_origins=origin).cors_origins == [origin]


def test_credentials_for_every_origin_are_refused() -> None:
    with pytest.raises(ValidationError, match="must be false while CORS_ORIGINS is"):
        Settings(cors_origins="*", cors_allow_credentials=True)

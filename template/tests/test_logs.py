import json
import logging
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
import structlog
from fastapi import APIRouter
from fastapi.testclient import TestClient

from app import API_PREFIX

Start = Callable[..., TestClient]
Lines = Callable[[], list[dict[str, Any]]]

logger = structlog.stdlib.get_logger(__name__)
parcels = APIRouter(prefix="/parcels")


@parcels.get("/{number}")
async def read_parcel(number: int) -> int:
    logger.info("parcel_read", number=number)
    return 1 // number


api = APIRouter(prefix=API_PREFIX)
api.include_router(parcels)


@pytest.fixture
def lines(capsys: pytest.CaptureFixture[str]) -> Lines:
    """Read what has been logged since the last call: by requests, and by these tests."""

    def read() -> list[dict[str, Any]]:
        lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        return [line for line in lines if line["logger"] in {"app.middleware", "library", __name__}]

    return read


def test_a_request_is_one_line(start: Start, lines: Lines) -> None:
    headers = {"X-Request-ID": "r-1", "Authorization": "Bearer opensesame"}
    start(api).get("/api/v1/parcels/7?coupon=hunter2", headers=headers)
    inside, request = lines()
    assert inside["event"] == "parcel_read"
    assert inside["request_id"] == "r-1"
    assert datetime.fromisoformat(request.pop("timestamp")).tzinfo == UTC
    assert 0 < request.pop("duration_ms") < 1000
    assert request == {
        "event": "request",
        "level": "info",
        "logger": "app.middleware",
        "method": "GET",
        "route": "/api/v1/parcels/{number}",
        "status": 200,
        "request_id": "r-1",
    }


@pytest.mark.parametrize(
    ("path", "route", "status"),
    [
        ("/nowhere/4111-1111", None, 404),
        ("/api/v1/parcels/seven", "/api/v1/parcels/{number}", 422),
        ("/docs", "/docs", 200),
    ],
)
def test_a_request_is_logged_by_its_route_and_not_by_its_path(
    start: Start, lines: Lines, path: str, route: str | None, status: int
) -> None:
    start(api).get(path)
    [request] = lines()
    assert (request["route"], request["status"]) == (route, status)


def test_an_unexpected_error_is_logged_once_with_its_traceback(start: Start, lines: Lines) -> None:
    response = start(api).get("/api/v1/parcels/0")
    _, error, request = lines()
    assert error["event"] == "unexpected_error"
    assert error["request_id"] == response.headers["X-Request-ID"]
    assert "ZeroDivisionError" in error["exception"]
    assert request["status"] == 500


def test_health_probes_are_logged_only_when_debugging(start: Start, lines: Lines) -> None:
    start().get("/livez")
    assert lines() == []
    start(log_level="debug").get("/livez")
    [request] = lines()
    assert (request["route"], request["level"]) == ("/livez", "debug")


def test_lines_of_other_libraries_have_the_same_form(start: Start, lines: Lines) -> None:
    start()
    logging.getLogger("library").warning("%d parcels", 3, extra={"access_token": "opensesame"})
    [line] = lines()
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "event": "3 parcels",
        "level": "warning",
        "logger": "library",
        "access_token": "[hidden]",
    }


def test_lines_are_for_people_in_local(start: Start, capsys: pytest.CaptureFixture[str]) -> None:
    start(environment="local").get("/nowhere")
    line = capsys.readouterr().out.splitlines()[-1]
    assert not line.startswith("{")
    assert "status=404" in line

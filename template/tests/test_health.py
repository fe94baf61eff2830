import asyncio

from fastapi import FastAPI
from fastapi.testclient import TestClient


async def pass_slowly() -> None:
    await asyncio.sleep(0.2)


async def hang() -> None:
    await asyncio.sleep(60)


async def fail() -> None:
    raise ConnectionRefusedError


def test_liveness_checks_nothing(app: FastAPI, client: TestClient) -> None:
    app.state.readiness.checks["mail"] = fail
    response = client.get("/livez")
    assert response.status_code == 200
    assert response.json() == {"status": "ok"}


def test_a_service_that_depends_on_nothing_is_ready(app: FastAPI, client: TestClient) -> None:
    app.state.readiness.checks.clear()
    response = client.get("/readyz")
    assert response.status_code == 200
    assert response.json() == {"status": "ok", "checks": {}}


def test_checks_run_side_by_side(app: FastAPI, client: TestClient) -> None:
    everyone = asyncio.Barrier(3)
    app.state.readiness.checks = dict.fromkeys(["mail", "queue", "search"], everyone.wait)
    response = client.get("/readyz")
    assert response.json()["checks"] == {"mail": "ok", "queue": "ok", "search": "ok"}


def test_failing_and_slow_checks_are_named(app: FastAPI, client: TestClient) -> None:
    app.state.readiness.time_limit = 0.3
    app.state.readiness.checks = {"mail": fail, "queue": hang, "search": pass_slowly}
    response = client.get("/readyz")
    assert response.status_code == 503
    assert response.headers["Content-Type"] == "application/problem+json"
    assert response.headers["Retry-After"] == "5"
    assert response.json()["errors"] == [
        {"detail": "failed", "pointer": "#/checks/mail"},
        {"detail": "failed", "pointer": "#/checks/queue"},
    ]


def test_a_service_without_what_is_optional_is_ready(app: FastAPI, client: TestClient) -> None:
    app.state.readiness.checks = {"mail": fail, "queue": pass_slowly}
    app.state.readiness.optional = {"mail"}
    response = client.get("/readyz")
    assert response.status_code == 200
    assert response.json() == {"status": "degraded", "checks": {"mail": "failed", "queue": "ok"}}
    app.state.readiness.checks["queue"] = fail
    assert client.get("/readyz").status_code == 503


def test_a_service_is_ready_again_when_its_check_passes_again(
    app: FastAPI, client: TestClient
) -> None:
    app.state.readiness.checks["mail"] = fail
    assert client.get("/readyz").status_code == 503
    app.state.readiness.checks["mail"] = pass_slowly
    assert client.get("/readyz").status_code == 200


def test_a_draining_service_is_alive_but_not_ready(app: FastAPI, client: TestClient) -> None:
    app.state.readiness.draining.set()
    response = client.get("/readyz")
    assert response.status_code == 503
    assert response.json()["detail"] == "The service is shutting down."
    assert response.headers["Retry-After"] == "5"
    assert client.get("/livez").status_code == 200

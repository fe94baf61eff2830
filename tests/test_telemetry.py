"""What a service in production tells: to a real collector, and to Prometheus over all workers."""

import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from secrets import token_urlsafe
from statistics import median
from typing import Any

import httpx2
import pytest

from tests.collectors import attributes, collecting
from tests.redis_servers import redis_server
from tests.rendering import write
from tests.services import PRODUCTION, Service, add_own_router, booted, free_port, install, migrate

pytestmark = pytest.mark.slow

TOKEN = token_urlsafe(32)
TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736"
TRACEPARENT = f"00-{TRACE_ID}-00f067aa0ba902b7-01"
SECRET = "hunter2"  # noqa: S105
ITEMS = "/api/v1/items"

TROUBLE = '''"""Routes that fail, and that take their time."""

import asyncio
import os

from fastapi import APIRouter

router = APIRouter(prefix="/trouble")


@router.get("/pid")
async def pid(seconds: float = 0) -> int:
    """Tell who answers."""
    await asyncio.sleep(seconds)
    return os.getpid()


@router.get("/{number}")
async def divide(number: int) -> int:
    """Fail at nothing."""
    return 1 // number
'''


@pytest.fixture(scope="module")
def project(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give an installed project with a database, and routes that make trouble."""
    answers = {"database": "sqlite", "jwt_auth": False, "rate_limiting": False}
    project = write(template, tmp_path_factory.mktemp("telemetry"), answers)
    install(project)
    add_own_router(project)
    (project / "app" / "notes.py").write_text(TROUBLE, "utf-8")
    migrate(project, {"DATABASE_URL": f"sqlite:///{project}/app.db"})
    return project


@contextmanager
def observed(project: Path, **settings: str) -> Iterator[tuple[Service, httpx2.Client]]:
    """Run the service with metrics, and give a client that makes a connection for each request."""
    with (
        booted(project, METRICS_TOKEN=TOKEN, OTEL_BSP_SCHEDULE_DELAY="100", **settings) as service,
        httpx2.Client(base_url=service.url, headers={"Connection": "close"}) as client,
    ):
        yield service, client


def scrape(client: httpx2.Client) -> dict[str, float]:
    """Read /metrics as Prometheus does: by the address of the machine, with the token."""
    headers = {"Authorization": f"Bearer {TOKEN}", "Host": "10.0.0.7:8000"}
    response = client.get("/metrics", headers=headers)
    assert response.status_code == 200
    lines = [line for line in response.text.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines)}


def counted(client: httpx2.Client) -> float:
    """Read how many requests have been counted, over all workers."""
    samples = scrape(client)
    prefix = "http_server_request_duration_seconds_count"
    return sum(value for name, value in samples.items() if name.startswith(prefix))


def log_of(service: Service) -> list[dict[str, Any]]:
    """Read the log, of which each line is an object."""
    return [json.loads(line) for line in service.log.read_text("utf-8").splitlines()]


def test_a_trace_joins_the_caller_the_request_and_its_statements(project: Path) -> None:
    with collecting() as collector:
        settings = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "OTEL_SERVICE_NAME": "depot"}
        with observed(project, WORKERS="2", **settings) as (service, client):
            headers = {"traceparent": TRACEPARENT, "Authorization": f"Bearer {SECRET}"}
            item = {"name": SECRET}
            created = client.post(f"{ITEMS}?key={SECRET}", json=item, headers=headers)
            assert created.status_code == 201
            for path in ("/livez", "/readyz"):
                client.get(path)
            scrape(client)
            # what is left is sent at the end
            assert service.stop() == 0
    [request] = collector.requests()
    statements = [span for span in collector.spans if span is not request]
    assert request.name == f"POST {ITEMS}"
    assert request.trace_id.hex() == TRACE_ID
    assert request.parent_span_id.hex() == TRACEPARENT.split("-")[2]
    assert "INSERT" in {span.name for span in statements}
    for span in statements:
        assert (span.trace_id, span.parent_span_id) == (request.trace_id, request.span_id)
    assert {resource["service.name"] for resource in collector.resources} == {"depot"}
    assert not any(SECRET.encode() in body for body in collector.bodies)

    [line] = [line for line in log_of(service) if line.get("trace_id")]
    assert line["event"] == "request"
    assert line["trace_id"] == TRACE_ID
    assert line["span_id"] == request.span_id.hex()


def test_an_unexpected_error_is_in_its_span(project: Path) -> None:
    with (
        collecting() as collector,
        observed(project, OTEL_EXPORTER_OTLP_ENDPOINT=collector.url) as (_, client),
    ):
        assert client.get("/trouble/0").status_code == 500
        [span] = collector.wait_for(1)
    assert span.status.code == span.status.STATUS_CODE_ERROR
    assert attributes(span)["http.route"] == "/trouble/{number}"
    assert [event.name for event in span.events] == ["exception"]


def test_metrics_are_sums_over_workers_the_dead_included(project: Path, tmp_path: Path) -> None:
    with observed(project, WORKERS="2", TMPDIR=str(tmp_path)) as (service, client):
        pids = wait_for_workers(client)
        for _ in range(20):
            client.get("/trouble/pid")
        total = counted(client)
        assert total >= 22
        assert [counted(client) for _ in range(10)] == [total] * 10

        with ThreadPoolExecutor() as pool:
            held = pool.submit(client.get, "/trouble/pid", params={"seconds": 30})
            time.sleep(0.5)
            assert scrape(client)["http_server_active_requests"] == 1
            for pid in pids:
                os.kill(pid, signal.SIGKILL)
            with suppress(httpx2.TransportError):
                held.result()
        wait_for_workers(client, dead=pids)

        samples = scrape(client)
        assert samples["http_server_active_requests"] == 0
        memory = [name for name in samples if name.startswith("process_resident_memory_bytes")]
        assert len(memory) == 2
        assert not any(str(pid) in name for pid in pids for name in memory)
        before = counted(client)
        assert before >= total
        for _ in range(20):
            client.get("/trouble/pid")
        assert counted(client) == before + 20
        assert service.stop() == 0
    assert not list(tmp_path.glob("metrics-*"))


def wait_for_workers(client: httpx2.Client, dead: frozenset[int] = frozenset()) -> frozenset[int]:
    """Wait until two workers serve that are not among the dead."""
    deadline = time.monotonic() + 20
    alive: frozenset[int] = frozenset()
    while len(alive - dead) < 2:
        assert time.monotonic() < deadline
        with suppress(httpx2.TransportError):
            alive |= {client.get("/trouble/pid").json()}
    return alive - dead


@pytest.mark.parametrize("collector", ["away", "deaf", "slow"])
def test_a_collector_in_trouble_is_no_trouble_for_the_service(
    project: Path, collector: str
) -> None:
    with collecting(seconds=5) as slow, socket.create_server(("127.0.0.1", 0)) as deaf:
        port = {"away": free_port(), "deaf": deaf.getsockname()[1], "slow": slow.server_port}
        endpoint = f"http://127.0.0.1:{port[collector]}"
        with observed(project, OTEL_EXPORTER_OTLP_ENDPOINT=endpoint) as (service, client):
            times = []
            for number in range(1, 101):
                started = time.perf_counter()
                assert client.get(f"/trouble/{number}").status_code == 200
                times.append(time.perf_counter() - started)
            assert median(times) < 0.1
            assert max(times) < 2
            time.sleep(2)
            started = time.perf_counter()
            assert service.stop() == 0
            assert time.perf_counter() - started < 6
    log = log_of(service)
    assert not any("exception" in line for line in log)
    assert sum(line["logger"].startswith("opentelemetry") for line in log) < 10


def test_a_trace_goes_on_in_the_worker(template: Path, tmp_path: Path) -> None:
    answers = {"database": "sqlite", "jwt_auth": False, "background_tasks": True}
    project = write(template, tmp_path, answers)
    install(project)
    database = {"DATABASE_URL": f"sqlite:///{project}/app.db"}
    migrate(project, database)
    with collecting() as collector, redis_server(tmp_path / "redis") as redis:
        settings = {**database, "REDIS_URL": redis.url}
        settings["OTEL_EXPORTER_OTLP_ENDPOINT"] = collector.url
        with observed(project, **settings) as (service, client), worker(project, settings):
            response = client.post("/api/v1/jobs", json={"task": "report"})
            assert response.status_code == 202
            deadline = time.monotonic() + 20
            while client.get(response.headers["Location"]).json()["state"] != "succeeded":
                assert time.monotonic() < deadline
                time.sleep(0.2)
            assert service.stop() == 0
    [request] = [span for span in collector.requests() if span.name.startswith("POST")]
    [job] = [span for span in collector.spans if span.name == "job report"]
    assert (job.trace_id, job.parent_span_id) == (request.trace_id, request.span_id)
    statements = [span for span in collector.spans if span.parent_span_id == job.span_id]
    assert "SELECT" in {span.name for span in statements}


@contextmanager
def worker(project: Path, settings: dict[str, str]) -> Iterator[None]:
    """Run a worker, and stop it in order."""
    with (project.parent / "worker.log").open("wb") as log:
        process = subprocess.Popen(
            [project / ".venv" / "bin" / "python", "-m", "app.jobs.worker"],
            cwd=project,
            env={**os.environ, **PRODUCTION, **settings},
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        try:
            yield
            process.terminate()
            assert process.wait(timeout=20) == 0
        finally:
            process.kill()
            process.wait()


def test_metrics_are_not_open_to_the_world(project: Path) -> None:
    with booted(project) as service:
        assert httpx2.get(f"{service.url}/metrics").status_code == 404
    with observed(project) as (_, client):
        refused = client.get("/metrics")
        assert refused.status_code == 401
        assert refused.headers["Content-Type"] == "application/problem+json"
        assert counted(client) == 0
        assert "/metrics" not in client.get("/openapi.json").text

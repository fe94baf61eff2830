from collections.abc import Callable

import pytest
from fastapi import APIRouter, Request
from fastapi.testclient import TestClient

from app.jobs.broker import JobBroker
from app.telemetry.jobs import JobTraces
from tests.telemetry.collector import Collector, ReceivedSpan

Start = Callable[..., TestClient]

parcels = APIRouter(prefix="/parcels")


async def weigh(kilograms: int) -> int:
    return 1 // kilograms


@parcels.post("/{kilograms}")
async def submit(kilograms: int, request: Request) -> None:
    jobs: JobBroker = request.app.state.jobs
    await jobs.register_task(weigh, "weigh").kiq(kilograms)


def submit_job(collector: Collector, client: TestClient, kilograms: int) -> list[ReceivedSpan]:
    """Submit a job, and give the spans of the request and of the job."""
    assert client.post(f"/parcels/{kilograms}").status_code == 200
    return sorted(collector.spans(2), key=lambda span: not span.is_request)


def test_a_job_is_below_the_request_that_submits_it(collector: Collector, start: Start) -> None:
    request, job = submit_job(collector, start(parcels, redis_url=""), 1)
    assert job.name == "job weigh"
    assert (job.trace_id, job.parent_id) == (request.trace_id, request.span_id)
    assert job.attributes["messaging.destination.name"] == "weigh"
    assert not job.failed


def test_a_job_that_fails_says_so(collector: Collector, start: Start) -> None:
    client = start(parcels, redis_url="", job_max_attempts=1)
    request, job = submit_job(collector, client, 0)
    assert job.failed
    assert job.events["exception"]["exception.type"] == "ZeroDivisionError"
    assert not request.failed


def test_without_a_collector_jobs_run_all_the_same(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended: list[str] = []
    monkeypatch.setattr(
        JobTraces, "post_save", lambda _self, message, _result: ended.append(message.task_name)
    )
    client = start(parcels, redis_url="")
    assert client.post("/parcels/1").status_code == 200
    for _ in range(100):
        client.get("/livez")
    assert ended == ["weigh"]

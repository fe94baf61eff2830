import json
import time
from threading import Event
from typing import Any

import pytest
from fastapi.testclient import TestClient

from tests.jobs.conftest import Shop
from tests.jobs.workshop import WORKSHOP, run, submit, wait_for


def lines_about_jobs(capsys: pytest.CaptureFixture[str], count: int) -> list[dict[str, Any]]:
    """Wait for so many lines: a job is logged after its state has changed."""
    found: list[dict[str, Any]] = []
    deadline = time.monotonic() + 10
    while len(found) < count:
        assert time.monotonic() < deadline, found
        lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        found += [line for line in lines if line["logger"] == "app.jobs.lifecycle"]
        time.sleep(0.01)
    return found


def test_what_fails_is_tried_again(client: TestClient) -> None:
    job = run(client, "fail_at_first", 2)
    assert (job["state"], job["result"], job["attempts"]) == ("succeeded", 3, 3)


def test_what_always_fails_ends_with_a_problem(open_shop: Shop) -> None:
    client = open_shop(job_max_attempts=3)
    order = {"task": "fail_at_first", "value": 100}
    response = client.post(WORKSHOP, json=order, headers={"X-Request-ID": "r-1"})
    place = f"/api/v1/jobs/{response.json()['id']}"
    job = wait_for(client, place)
    assert (job["state"], job["result"], job["attempts"]) == ("failed", None, 3)
    assert job["problem"] == {
        "type": "about:blank",
        "title": "Internal Server Error",
        "status": 500,
        "detail": "The job failed 3 times; the log of the service tells why.",
        "instance": place,
        "request_id": "r-1",
        "errors": None,
    }


def test_a_problem_of_the_request_is_not_tried_again(client: TestClient) -> None:
    job = run(client, "refuse")
    assert (job["state"], job["attempts"]) == ("failed", 1)
    assert job["problem"]["status"] == 409
    assert job["problem"]["detail"] == "The parcel has left."


def test_a_job_that_takes_too_long_fails(open_shop: Shop) -> None:
    client = open_shop(job_time_limit=0.05, job_max_attempts=1)
    job = run(client, "sleep", 60)
    assert job["state"] == "failed"
    assert job["problem"]["detail"] == "The job failed once; the log of the service tells why."


def test_a_task_that_nobody_has_added_is_a_fault_of_the_service(client: TestClient) -> None:
    assert client.post(WORKSHOP, json={"task": "nothing"}).status_code == 500


def test_a_result_that_is_too_large_fails(open_shop: Shop) -> None:
    client = open_shop(job_result_limit=10)
    assert run(client, "echo", "x" * 8)["state"] == "succeeded"
    job = run(client, "echo", "x" * 9)
    assert (job["state"], job["attempts"]) == ("failed", 1)
    assert job["problem"]["detail"] == "The result has more than 10 bytes."


def test_a_result_that_is_no_json_fails(client: TestClient) -> None:
    assert run(client, "make_anything")["state"] == "failed"


def test_a_full_queue_refuses_jobs_and_is_announced(
    open_shop: Shop, released: Event, capsys: pytest.CaptureFixture[str]
) -> None:
    client = open_shop(job_queue_limit=2, job_concurrency=1)
    request = {"task": "report"}
    place = submit(client, "hold")
    accepted = client.post("/api/v1/jobs", json=request)
    assert '"many_jobs_are_waiting"' in capsys.readouterr().out
    response = client.post("/api/v1/jobs", json=request)
    assert response.status_code == 503
    assert response.headers["Retry-After"] == "5"
    assert response.json()["detail"] == "Too many jobs are waiting."
    released.set()
    wait_for(client, place)
    wait_for(client, accepted.headers["Location"])
    assert client.post("/api/v1/jobs", json=request).status_code == 202


def test_each_attempt_is_one_line_that_tells_no_more_than_it_must(
    open_shop: Shop, capsys: pytest.CaptureFixture[str]
) -> None:
    client = open_shop()
    order = {"task": "fail_at_first", "value": 1}
    response = client.post(WORKSHOP, json=order, headers={"X-Request-ID": "r-1"})
    job = wait_for(client, f"/api/v1/jobs/{response.json()['id']}")
    first, second = lines_about_jobs(capsys, 2)
    assert (first["status"], first["attempt"]) == ("queued", 1)
    assert second.pop("timestamp")
    assert second.pop("duration_ms") >= 0
    assert second == {
        "event": "job",
        "level": "info",
        "logger": "app.jobs.lifecycle",
        "job_id": job["id"],
        "request_id": "r-1",
        "task": "fail_at_first",
        "status": "succeeded",
        "attempt": 2,
    }

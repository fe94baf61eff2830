import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

from fastapi.testclient import TestClient

from app.jobs.schemas import Job
from app.main import create_app
from app.settings import Settings
# {% if jwt_auth %}
from tests.auth.accounts import bearer, open_account
# {% endif %}
from tests.jobs import workshop
from tests.jobs.workshop import run, submit, wait_for

AWAY = "redis://127.0.0.1:1/0"


@contextmanager
def shop_in_memory(**changes: Any) -> Iterator[TestClient]:
    """Run a service without Redis, and with settings that need not be sensible."""
    settings = Settings(environment="test", redis_url="").model_copy(update=changes)
    app = create_app(settings)
    app.include_router(workshop.router)
    with TestClient(app) as client:
        # {% if jwt_auth %}
        client.headers.update(bearer(open_account(client)))
        # {% endif %}
        yield client


def find_after_stop(client: TestClient, place: str) -> Job:
    """Look at a job of a service that has stopped."""
    broker = client.app.state.jobs  # type: ignore[attr-defined]
    job: Job = asyncio.run(broker.find(UUID(place.rpartition("/")[2])))
    return job


def test_a_stop_finishes_what_runs_and_cuts_off_what_goes_on() -> None:
    with shop_in_memory(shutdown_timeout=3, job_concurrency=2) as client:
        short, long = submit(client, "sleep", 0.5), submit(client, "sleep", 60)
        wait_for(client, short, "running", "succeeded")
        wait_for(client, long, "running")
        late = submit(client, "echo")
    assert find_after_stop(client, short).state == "succeeded"
    job = find_after_stop(client, long)
    assert job.state == "failed"
    assert job.problem
    assert job.problem.detail == "The service stopped before the job was done."
    assert find_after_stop(client, late).state == "queued"


def test_no_more_jobs_run_at_a_time_than_are_allowed() -> None:
    with shop_in_memory(job_concurrency=1) as client:
        first, second = submit(client, "sleep", 0.1), submit(client, "echo")
        assert wait_for(client, second)["started_at"] >= wait_for(client, first)["finished_at"]


def test_a_job_is_forgotten_when_its_lifetime_is_over() -> None:
    with shop_in_memory(job_lifetime=timedelta(seconds=0.2)) as client:
        place = submit(client, "echo")
        assert wait_for(client, place)["state"] == "succeeded"
        while client.get(place).status_code != 404:
            pass


def test_finished_jobs_do_not_fill_the_memory() -> None:
    with shop_in_memory(job_queue_limit=2) as client:
        places = [f"/api/v1/jobs/{run(client, 'echo')['id']}" for _ in range(4)]
        statuses = [client.get(place).status_code for place in places]
        assert statuses == [404, 404, 200, 200]


def test_while_redis_is_away_jobs_are_refused(start: Callable[..., TestClient]) -> None:
    client = start(workshop.router, redis_url=AWAY)
    # {% if jwt_auth %}
    client.headers.update(bearer(open_account(client)))
    # {% endif %}
    for response in (
        client.post(workshop.WORKSHOP, json={"task": "echo"}),
        client.get(f"/api/v1/jobs/{uuid4()}"),
    ):
        assert response.status_code == 503
        assert response.headers["Content-Type"] == "application/problem+json"
        assert int(response.headers["Retry-After"]) > 0
    assert client.get("/livez").status_code == 200

from typing import Any
from uuid import uuid4

import pytest
from fastapi.testclient import TestClient

# {% if jwt_auth %}
from tests.auth.accounts import bearer, open_account
# {% endif %}
from tests.jobs.workshop import run, submit, wait_for

JOBS = "/api/v1/jobs"
REPORT: dict[str, Any] = {
    "task": "report",
    # {% if database != 'none' %}
    "name": "lamp",
    # {% else %}
    "quantities": [7, 0],
    # {% endif %}
}


def test_a_job_is_accepted_and_then_done(client: TestClient) -> None:
    # {% if database != 'none' %}
    for name, quantity in [("Red lamp", 7), ("Blue lamp", 0), ("Ladder", 2)]:
        client.post("/api/v1/items", json={"name": name, "quantity": quantity})
    # {% endif %}
    response = client.post(JOBS, json=REPORT)
    assert response.status_code == 202
    assert int(response.headers["Retry-After"]) > 0
    accepted = response.json()
    assert accepted["task"] == "report"
    assert response.headers["Location"] == f"{JOBS}/{accepted['id']}"
    job = wait_for(client, response.headers["Location"])
    assert job["state"] == "succeeded"
    assert job["result"] == {"items": 2, "quantity": 7, "used_up": 1}
    assert job["attempts"] == 1
    assert job["submitted_at"] <= job["started_at"] <= job["finished_at"]
    assert job["problem"] is None
    assert "owner" not in job


def test_a_client_is_told_when_to_ask_again(client: TestClient) -> None:
    place = submit(client, "sleep", 2)
    assert wait_for(client, place, "running")["started_at"]
    assert int(client.get(place).headers["Retry-After"]) > 0
    wait_for(client, place)
    assert "Retry-After" not in client.get(place).headers


@pytest.mark.parametrize(
    "request_body",
    [{}, {"task": "nothing"}, {"task": "purge"}, {**REPORT, "name": 7, "quantities": [-1]}],
)
def test_what_no_task_can_use_is_refused(client: TestClient, request_body: dict[str, Any]) -> None:
    response = client.post(JOBS, json=request_body)
    assert response.status_code == 422
    assert response.json()["errors"][0]["pointer"].startswith("#/body/")


def test_an_unknown_job_is_not_found(client: TestClient) -> None:
    response = client.get(f"{JOBS}/{uuid4()}")
    assert response.status_code == 404
    assert response.json()["detail"] == "There is no such job."


def test_a_job_without_a_result_succeeds(client: TestClient) -> None:
    assert run(client, "echo")["state"] == "succeeded"
# {% if jwt_auth %}


def test_someone_elses_job_is_not_found(client: TestClient) -> None:
    place = submit(client, "echo", 1)
    bob = bearer(open_account(client, "bob@example.com"))
    assert client.get(place, headers=bob).status_code == 404
    assert wait_for(client, place)["result"] == 1


def test_a_report_is_about_ones_own_items(client: TestClient) -> None:
    client.post("/api/v1/items", json={"name": "Lamp"})
    client.headers.update(bearer(open_account(client, "bob@example.com")))
    job = wait_for(client, client.post(JOBS, json=REPORT).headers["Location"])
    assert job["result"] == {"items": 0, "quantity": 0, "used_up": 0}


def test_nobody_may_use_jobs_without_a_token(client: TestClient) -> None:
    place = submit(client, "echo")
    del client.headers["Authorization"]
    assert client.get(place).status_code == 401
    assert client.post(JOBS, json=REPORT).status_code == 401
# {% endif %}

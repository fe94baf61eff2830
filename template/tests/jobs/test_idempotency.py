from concurrent.futures import ThreadPoolExecutor

import pytest
from fastapi.testclient import TestClient
from httpx2 import Response

# {% if jwt_auth %}
from tests.auth.accounts import bearer, open_account
# {% endif %}
from tests.jobs.workshop import WORKSHOP, run, wait_for

KEY = "8e03978e-40d5-43e8-bc93-6894a57f9324"


def order(client: TestClient, value: int, key: str = KEY) -> Response:
    headers = {"Idempotency-Key": key}
    return client.post(WORKSHOP, json={"task": "echo", "value": value}, headers=headers)


def test_the_same_request_with_the_same_key_is_the_same_job(client: TestClient) -> None:
    first = order(client, 1)
    again = order(client, 1)
    assert (first.status_code, again.status_code) == (202, 202)
    assert first.json()["id"] == again.json()["id"]
    job = wait_for(client, f"/api/v1/jobs/{first.json()['id']}")
    assert (job["result"], job["attempts"]) == (1, 1)
    assert order(client, 1).json()["state"] == "succeeded"


def test_another_request_with_the_same_key_is_refused(client: TestClient) -> None:
    order(client, 1)
    response = order(client, 2)
    assert response.status_code == 422
    assert response.headers["Content-Type"] == "application/problem+json"
    assert response.json()["detail"] == "The Idempotency-Key has been used for another request."


def test_a_key_may_stand_in_quotation_marks(client: TestClient) -> None:
    assert order(client, 1).json()["id"] == order(client, 1, f'"{KEY}"').json()["id"]


@pytest.mark.parametrize("key", ["", '""', "a b", "x" * 256])
def test_what_is_no_key_is_refused(client: TestClient, key: str) -> None:
    response = order(client, 1, key)
    assert response.status_code == 422
    assert response.json()["errors"][0]["pointer"] == "#/header/Idempotency-Key"


def test_no_key_is_proposed_in_the_document(client: TestClient) -> None:
    operation = client.get("/openapi.json").json()["paths"]["/api/v1/jobs"]["post"]
    (parameter,) = operation["parameters"]
    assert parameter["required"] is False
    assert "default" not in parameter["schema"]


def test_without_a_key_each_request_is_a_job(client: TestClient) -> None:
    assert run(client, "echo")["id"] != run(client, "echo")["id"]


def test_many_requests_at_the_same_time_are_one_job(client: TestClient) -> None:
    with ThreadPoolExecutor(20) as pool:
        responses = list(pool.map(lambda _: order(client, 1), range(20)))
    assert {response.status_code for response in responses} == {202}
    assert len({response.json()["id"] for response in responses}) == 1
# {% if jwt_auth %}


def test_two_owners_may_use_one_key(client: TestClient) -> None:
    mine = order(client, 1)
    client.headers.update(bearer(open_account(client, "bob@example.com")))
    bobs = order(client, 2)
    assert bobs.status_code == 202
    assert bobs.json()["id"] != mine.json()["id"]
# {% endif %}

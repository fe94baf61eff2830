from collections.abc import Callable
from secrets import token_urlsafe
from typing import Any

import pytest
from fastapi import APIRouter
from fastapi.testclient import TestClient
from prometheus_client.parser import text_string_to_metric_families
from pydantic import ValidationError

from app import API_PREFIX
from app.environment import Environment
from app.settings import Settings

Start = Callable[..., TestClient]
Samples = dict[tuple[str, ...], float]

TOKEN = token_urlsafe(32)
DEPLOYED: dict[str, Any] = {
    "allowed_hosts": ["localhost"],
    # {% if jwt_auth %}
    "auth_secrets": "x" * 48,
    # {% endif %}
}
DURATION = "http_server_request_duration_seconds"

parcels = APIRouter(prefix=f"{API_PREFIX}/parcels")


@parcels.api_route("/{number}", methods=["GET", "BREW"])
async def read_parcel(number: int) -> int:
    return 1 // number


def samples(client: TestClient, name: str, *labels: str) -> Samples:
    """Read the samples of a metric, by the values of some labels."""
    families = text_string_to_metric_families(client.get("/metrics").text)
    return {
        tuple(sample.labels[label] for label in labels): sample.value
        for family in families
        for sample in family.samples
        if sample.name == name
    }


def count_requests(client: TestClient) -> Samples:
    """Count requests by method, route and status."""
    labels = ("http_request_method", "http_route", "http_response_status_code")
    return samples(client, f"{DURATION}_count", *labels)


def test_requests_are_counted_by_method_route_and_status(start: Start) -> None:
    client = start(parcels)
    for path in ("/parcels/1", "/parcels/2", "/parcels/0", "/parcels/seven", "/nowhere/4111"):
        client.get(API_PREFIX + path)
    client.request("BREW", f"{API_PREFIX}/parcels/3")
    route = API_PREFIX + "/parcels/{number}"
    assert count_requests(client) == {
        ("GET", route, "200"): 2,
        ("GET", route, "500"): 1,
        ("GET", route, "422"): 1,
        ("GET", "", "404"): 1,
        ("_OTHER", route, "200"): 1,
    }


def test_requests_are_timed(start: Start) -> None:
    client = start(parcels)
    client.get(f"{API_PREFIX}/parcels/1")
    assert 0 < samples(client, f"{DURATION}_sum")[()] < 1
    assert samples(client, f"{DURATION}_bucket", "le")["10.0",] == 1


def test_requests_in_flight_are_counted(start: Start) -> None:
    router = APIRouter()
    counts: list[Samples] = []

    @router.get("/count")
    def count() -> None:
        counts.append(samples(client, "http_server_active_requests"))

    client = start(router)
    client.get("/count")
    assert counts == [{(): 1}]
    assert samples(client, "http_server_active_requests") == {(): 0}


def test_probes_are_not_counted(start: Start) -> None:
    client = start()
    for path in ("/livez", "/readyz", "/metrics"):
        client.get(path)
    assert count_requests(client) == {}


def test_the_process_is_measured(start: Start) -> None:
    memory = samples(start(), "process_resident_memory_bytes", "pid")
    assert len(memory) == 1
    assert min(memory.values()) > 1_000_000


def test_services_do_not_mix_their_metrics(start: Start) -> None:
    first, second = start(parcels), start(parcels)
    first.get(f"{API_PREFIX}/parcels/1")
    assert len(count_requests(first)) == 1
    assert count_requests(second) == {}


def test_once_deployed_metrics_need_a_token(start: Start) -> None:
    client = start(metrics_token=TOKEN)
    for authorization in ("", "Bearer", "Bearer nonsense", f"Basic {TOKEN}"):
        response = client.get("/metrics", headers={"Authorization": authorization})
        assert response.status_code == 401
        assert response.headers["WWW-Authenticate"] == "Bearer"
        assert response.headers["Content-Type"] == "application/problem+json"
    response = client.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"})
    assert response.status_code == 200
    assert response.headers["Content-Type"].startswith("text/plain; version=")


def test_platforms_read_metrics_by_the_address_of_the_machine(start: Start) -> None:
    client = start(metrics_token=TOKEN)
    headers = {"Host": "10.1.2.3:8000", "Authorization": f"Bearer {TOKEN}"}
    assert client.get("/metrics", headers=headers).status_code == 200


def test_metrics_are_not_in_the_description(client: TestClient) -> None:
    assert "/metrics" not in client.get("/openapi.json").json()["paths"]


@pytest.mark.parametrize("environment", [Environment.STAGING, Environment.PRODUCTION])
def test_once_deployed_nothing_is_served_without_a_token(
    start: Start, environment: Environment
) -> None:
    client = start(**DEPLOYED, environment=environment)
    assert client.get("/metrics").status_code == 404
    assert client.get("/docs").status_code == 200
    with_token = start(**DEPLOYED, environment=environment, metrics_token=TOKEN)
    assert with_token.get("/metrics").status_code == 401


def test_a_token_that_can_be_guessed_is_refused() -> None:
    with pytest.raises(ValidationError, match="at least 32 characters"):
        Settings(metrics_token="x" * 31)

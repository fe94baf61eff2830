import socket
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
import structlog
from fastapi import APIRouter, Request
from fastapi.testclient import TestClient
from opentelemetry import trace
from pydantic import ValidationError

from app import API_PREFIX
from app.main import create_app
from app.problems import ProblemError
from app.project import PROJECT
from app.settings import Settings
from app.telemetry.tracing import get_provider
from tests.telemetry.collector import Collector

Start = Callable[..., TestClient]

TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736"
SPAN_ID = "00f067aa0ba902b7"

logger = structlog.stdlib.get_logger(__name__)
parcels = APIRouter(prefix=f"{API_PREFIX}/parcels")


@parcels.get("/{number}")
async def read_parcel(number: int) -> int:
    if number > 99:
        raise ProblemError(404, "There is no such parcel.")
    logger.info("parcel_read")
    return 1 // number


@parcels.post("/{number}/weighings")
async def weigh_parcel(number: int, request: Request) -> None:
    provider = get_provider(request.app)
    assert provider
    with provider.get_tracer("parcels").start_as_current_span("weigh"):
        pass


def test_a_request_is_a_span(collector: Collector, start: Start) -> None:
    client = start(parcels)
    client.get("/api/v1/parcels/7?coupon=hunter2", headers={"Authorization": "Bearer opensesame"})
    [span] = collector.spans(1)
    assert span.name == "GET /api/v1/parcels/{number}"
    assert not span.failed
    assert span.parent_id == ""
    assert span.attributes["http.route"] == "/api/v1/parcels/{number}"
    assert span.attributes["http.response.status_code"] == 200
    assert span.attributes["url.path"] == "/api/v1/parcels/7"
    assert span.attributes["url.query"] == "[hidden]"
    assert "hunter2" not in span.text
    assert "opensesame" not in span.text


def test_spans_tell_which_service_made_them(
    collector: Collector, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "team=parcels,service.version=7")
    client = start(parcels, otel_service_name="depot")
    client.get("/api/v1/parcels/7")
    [span] = collector.spans(1)
    assert span.resource["service.name"] == "depot"
    assert span.resource["service.version"] == "7"
    assert span.resource["team"] == "parcels"
    assert span.resource["deployment.environment.name"] == "test"


def test_without_a_name_a_service_has_that_of_the_project(
    collector: Collector, start: Start
) -> None:
    client = start(parcels)
    client.get("/api/v1/parcels/7")
    [span] = collector.spans(1)
    app: Any = client.app
    assert span.resource["service.name"] == PROJECT["slug"]
    assert span.resource["service.version"] == app.version


def test_an_unexpected_error_is_part_of_its_span(collector: Collector, start: Start) -> None:
    response = start(parcels).get("/api/v1/parcels/0")
    assert response.status_code == 500
    [span] = collector.spans(1)
    assert span.failed
    assert span.events["exception"]["exception.type"] == "ZeroDivisionError"
    assert "read_parcel" in span.events["exception"]["exception.stacktrace"]


@pytest.mark.parametrize(("number", "status"), [("100", 404), ("seven", 422)])
def test_an_answer_that_is_meant_is_no_error(
    collector: Collector, start: Start, number: str, status: int
) -> None:
    assert start(parcels).get(f"/api/v1/parcels/{number}").status_code == status
    [span] = collector.spans(1)
    assert span.attributes["http.response.status_code"] == status
    assert not span.failed
    assert not span.events


def test_probes_leave_no_trace(collector: Collector, start: Start) -> None:
    client = start(parcels)
    for path in ("/livez", "/readyz", "/metrics", "/api/v1/parcels/7"):
        assert client.get(path).status_code == 200
    [span] = collector.spans(1)
    assert span.attributes["url.path"] == "/api/v1/parcels/7"


def test_a_request_joins_the_trace_of_its_caller(collector: Collector, start: Start) -> None:
    headers = {"traceparent": f"00-{TRACE_ID}-{SPAN_ID}-01"}
    start(parcels).get("/api/v1/parcels/7", headers=headers)
    [span] = collector.spans(1)
    assert (span.trace_id, span.parent_id) == (TRACE_ID, SPAN_ID)


def test_a_caller_may_ask_for_no_trace(collector: Collector, start: Start) -> None:
    client = start(parcels)
    client.get("/api/v1/parcels/7", headers={"traceparent": f"00-{TRACE_ID}-{SPAN_ID}-00"})
    client.get("/api/v1/parcels/8", headers={"traceparent": "nonsense"})
    [span] = collector.spans(1)
    assert span.attributes["url.path"] == "/api/v1/parcels/8"


def test_sampling_is_set_from_outside(
    collector: Collector, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = start(parcels)
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "always_off")
    start(parcels).get("/api/v1/parcels/7")
    client.get("/api/v1/parcels/8")
    [span] = collector.spans(1)
    assert span.attributes["url.path"] == "/api/v1/parcels/8"


def test_spans_of_ones_own_are_below_the_request(collector: Collector, start: Start) -> None:
    start(parcels).post("/api/v1/parcels/7/weighings")
    own, request = collector.spans(2)
    assert own.name == "weigh"
    assert (own.trace_id, own.parent_id) == (request.trace_id, request.span_id)


def test_the_end_of_a_service_sends_what_is_left(
    collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "60000")
    app = create_app(Settings(environment="test"))
    with TestClient(app) as client:
        client.get("/docs")
    [span] = collector.spans(1)
    assert span.name == "GET /docs"


def test_a_collector_that_hangs_holds_nobody_up(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.telemetry.tracing.FLUSH_SECONDS", 0.1)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "4")
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        endpoint = f"http://127.0.0.1:{deaf.getsockname()[1]}"
        app = create_app(Settings(environment="test", otel_exporter_otlp_endpoint=endpoint))
        with TestClient(app) as client:
            started = time.perf_counter()
            assert client.get("/docs").status_code == 200
        assert time.perf_counter() - started < 3
    for thread in threading.enumerate():
        if thread.daemon:
            thread.join()


@pytest.mark.parametrize("settings", [{}, {"otel_sdk_disabled": True}])
def test_without_a_place_to_send_to_no_spans_are_made(
    collector: Collector, start: Start, settings: dict[str, Any]
) -> None:
    settings = settings or {"otel_exporter_otlp_endpoint": ""}
    client = start(parcels, **settings)
    assert client.get("/api/v1/parcels/7").status_code == 200
    assert isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider)
    assert collector.received.empty()


def test_the_address_of_traces_goes_before_the_general_one() -> None:
    general = Settings(otel_exporter_otlp_endpoint="https://collector/otlp/")
    assert general.traces_endpoint == "https://collector/otlp/v1/traces"
    special = Settings(
        otel_exporter_otlp_endpoint="https://collector",
        otel_exporter_otlp_traces_endpoint="http://traces:4318/in",
    )
    assert special.traces_endpoint == "http://traces:4318/in"


@pytest.mark.parametrize(
    "endpoint", ["collector:4318", "grpc://collector", "http://", "http://collector:x"]
)
def test_what_is_no_address_is_refused(endpoint: str) -> None:
    with pytest.raises(ValidationError, match="must look like http://collector:4318"):
        Settings(otel_exporter_otlp_endpoint=endpoint)


def test_another_protocol_is_refused() -> None:
    with pytest.raises(ValidationError, match="must be http/protobuf"):
        Settings(otel_exporter_otlp_protocol="grpc")

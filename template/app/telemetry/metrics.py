"""Metrics, which Prometheus reads at /metrics: of all workers, whichever of them answers."""

import secrets
from time import perf_counter
from typing import Annotated

from fastapi import APIRouter, FastAPI, Header, Request, Response
from prometheus_client import CollectorRegistry, Gauge, Histogram
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.health import HEALTH_PATHS
from app.problems import ProblemError
from app.routes import path_of, route_of
from app.telemetry.processes import ProcessMetrics, SharedMetrics, shared_folder
from app.telemetry.settings import TelemetrySettings

METHODS = frozenset({"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"})
SECONDS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10)

router = APIRouter(include_in_schema=False)


class Metrics:
    """What is measured, under the names that OpenTelemetry gives it."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.registry.register(ProcessMetrics())
        # Workers keep what they measure in files that they share, and one collector reads them.
        own: CollectorRegistry | None = self.registry
        if shared_folder():
            self.registry.register(SharedMetrics())
            own = None
        self.active_requests = Gauge(
            "http_server_active_requests",
            "Requests in flight.",
            multiprocess_mode="livesum",
            registry=own,
        )
        self.request_duration = Histogram(
            "http_server_request_duration_seconds",
            "How long requests took, until the last byte of the answer.",
            ["http_request_method", "http_route", "http_response_status_code"],
            buckets=SECONDS,
            registry=own,
        )
        # {% if database != 'none' %}
        self.used_connections = Gauge(
            "db_client_connection_count",
            "Connections of the pool that are in use.",
            ["state"],
            multiprocess_mode="livesum",
            registry=own,
        ).labels("used")
        self.max_connections = Gauge(
            "db_client_connection_max",
            "How many connections the pool may open.",
            multiprocess_mode="livesum",
            registry=own,
        )
        # {% endif %}


def add_metrics(app: FastAPI, settings: TelemetrySettings) -> None:
    """Measure requests and serve what was measured, if anybody may read it."""
    app.state.metrics = None
    if settings.metrics_enabled:
        app.state.metrics = Metrics()
        app.add_middleware(RequestMetrics, metrics=app.state.metrics)
        app.include_router(router)


@router.get("/metrics")
def read_metrics(request: Request, authorization: Annotated[str, Header()] = "") -> Response:
    """Answer in the text format of Prometheus."""
    token = request.app.state.settings.metrics_token.get_secret_value()
    if token and not secrets.compare_digest(authorization.encode(), f"Bearer {token}".encode()):
        raise ProblemError(
            401, "Metrics need METRICS_TOKEN.", headers={"WWW-Authenticate": "Bearer"}
        )
    metrics: Metrics = request.app.state.metrics
    return Response(generate_latest(metrics.registry), media_type=CONTENT_TYPE_LATEST)


class RequestMetrics:
    """Count and time requests by route, which is a bounded set: what callers send is not."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self.app = app
        self.metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or path_of(scope) in HEALTH_PATHS:
            await self.app(scope, receive, send)
            return

        status = ""
        started = finished = perf_counter()

        async def timed_send(message: Message) -> None:
            nonlocal status, finished
            if message["type"] == "http.response.start":
                status = str(message["status"])
            await send(message)
            finished = perf_counter()

        method = scope["method"] if scope["method"] in METHODS else "_OTHER"
        with self.metrics.active_requests.track_inprogress():
            try:
                await self.app(scope, receive, timed_send)
            finally:
                duration = self.metrics.request_duration.labels(
                    method, route_of(scope) or "", status
                )
                duration.observe(finished - started)

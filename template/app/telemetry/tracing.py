"""Traces: FastAPI makes a span of each request, and a collector gets them by OTLP."""

import asyncio
import threading
from collections.abc import AsyncIterator, MutableMapping
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI
from fastapi.telemetry import TelemetryConfig
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import Span, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from starlette.middleware import Middleware
from starlette.types import ASGIApp, Receive, Scope, Send

from app.environment import Environment
from app.health import HEALTH_PATHS
from app.project import PROJECT
from app.routes import path_of
from app.telemetry.settings import TelemetrySettings

FLUSH_SECONDS = 3


def tracing_options(settings: TelemetrySettings) -> dict[str, Any]:
    """Give the argument of FastAPI; without an address to send traces to, none are made."""
    provider = create_provider(settings) if settings.traces_endpoint else None
    telemetry = TelemetryConfig(
        tracer_provider=provider,
        tracing=provider is not None,
        # Prometheus reads metrics, and standard output takes the log.
        metrics=False,
        logs=False,
        # They would call an answer such as 404 an error.
        operation_spans=False,
        auto_configure=False,
        exclude=is_probe,
    )
    return {"telemetry": telemetry}


def get_provider(app: FastAPI) -> TracerProvider | None:
    """Find what makes the spans of the service, if any are made."""
    provider: TracerProvider | None = app.state.options["telemetry"]["tracer_provider"]
    return provider


def create_provider(settings: TelemetrySettings) -> TracerProvider:
    """Make what makes spans; what the OTEL variables say goes before what the project says."""
    attributes = {
        "service.name": settings.otel_service_name or PROJECT["slug"],
        "service.version": PROJECT["version"],
        "deployment.environment.name": settings.environment.value,
        **OTELResourceDetector().detect().attributes,
    }
    provider = TracerProvider(resource=Resource.create(attributes), shutdown_on_exit=False)
    provider.add_span_processor(QueryHider())
    return provider


def is_probe(scope: MutableMapping[str, Any]) -> bool:
    """Whether the platform asks for health or metrics."""
    return path_of(scope) in HEALTH_PATHS


class QueryHider(SpanProcessor):
    """Blank query strings, which may hold what callers keep secret."""

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:  # noqa: ARG002
        """Look at a span before anybody else does."""
        if "url.query" in (span.attributes or {}):
            span.set_attribute("url.query", "[hidden]")


def add_tracing(app: FastAPI) -> None:
    """Record errors where they leave the routes, before the middleware answers them."""
    if get_provider(app):
        app.user_middleware.append(Middleware(ErrorRecorder))


class ErrorRecorder:
    """Tell the span of a request which error nobody foresaw."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        try:
            await self.app(scope, receive, send)
        except Exception as error:
            trace.get_current_span().record_exception(error)
            raise


@asynccontextmanager
async def open_tracing(app: FastAPI, settings: TelemetrySettings) -> AsyncIterator[None]:
    """Send spans while the service runs."""
    provider = get_provider(app)
    if provider is None:
        yield
        return
    async with sending(provider, settings):
        yield


@asynccontextmanager
async def sending(provider: TracerProvider, settings: TelemetrySettings) -> AsyncIterator[None]:
    """Send what the provider makes, and at the end what is left, within a time limit."""
    batches = BatchSpanProcessor(OTLPSpanExporter(endpoint=settings.traces_endpoint))
    provider.add_span_processor(batches)
    unset = isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider)
    if unset and settings.environment is not Environment.TEST:
        # For other libraries, and for spans of your own; a process has one, and tests have many.
        trace.set_tracer_provider(provider)
    try:
        yield
    finally:
        # A collector that does not answer would hold up the stop: a daemon thread ends with it.
        flush = threading.Thread(target=batches.shutdown, daemon=True)
        flush.start()
        await asyncio.to_thread(flush.join, FLUSH_SECONDS)

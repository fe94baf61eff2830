"""What the database does for a request: a span for each statement, and the use of the pool."""

from typing import Any

from fastapi import FastAPI
from opentelemetry import trace
from opentelemetry.trace import SpanKind, StatusCode, TracerProvider
from sqlalchemy import Connection, Engine, ExceptionContext, event

from app.database.settings import DatabaseSettings
from app.telemetry.metrics import Metrics
from app.telemetry.tracing import get_provider

SPAN = "span"


def observe_database(app: FastAPI, settings: DatabaseSettings) -> None:
    """Observe the engine of the service, as far as anybody looks."""
    engine: Engine = app.state.engine.sync_engine
    if provider := get_provider(app):
        trace_statements(engine, provider)
    metrics: Metrics | None = app.state.metrics
    if metrics:
        measure_pool(engine, metrics, settings)


def trace_statements(engine: Engine, provider: TracerProvider) -> None:
    """Make a span of each statement that a traced request runs, without the values in it."""
    tracer = provider.get_tracer(__name__)
    place = {
        "db.system.name": engine.dialect.name,
        "db.namespace": engine.url.database,
        "server.address": engine.url.host,
        "server.port": engine.url.port,
    }
    attributes = {name: value for name, value in place.items() if value is not None}

    def start_span(connection: Connection, _cursor: Any, statement: str, *_: Any) -> None:
        if trace.get_current_span().is_recording():
            operation = statement.split(maxsplit=1)[0].upper()
            connection.info[SPAN] = tracer.start_span(
                operation,
                kind=SpanKind.CLIENT,
                attributes={
                    **attributes,
                    "db.operation.name": operation,
                    "db.query.text": statement,
                },
            )

    def end_span(connection: Connection, *_: Any) -> None:
        if span := connection.info.pop(SPAN, None):
            span.end()

    def end_failed_span(context: ExceptionContext) -> None:
        span = context.connection and context.connection.info.pop(SPAN, None)
        if span:
            # The message of an error may repeat values.
            span.set_attribute("error.type", type(context.original_exception).__qualname__)
            span.set_status(StatusCode.ERROR)
            span.end()

    event.listen(engine, "before_cursor_execute", start_span)
    event.listen(engine, "after_cursor_execute", end_span)
    event.listen(engine, "handle_error", end_failed_span)


def measure_pool(engine: Engine, metrics: Metrics, settings: DatabaseSettings) -> None:
    """Count the connections that are in use, beside how many there can be."""
    metrics.max_connections.set(settings.database_pool_size + settings.database_max_overflow)
    event.listen(engine, "checkout", lambda *_: metrics.used_connections.inc())
    event.listen(engine, "checkin", lambda *_: metrics.used_connections.dec())

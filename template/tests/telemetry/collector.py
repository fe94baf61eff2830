"""A collector of traces, as the service finds them in production: OTLP over HTTP."""

import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import Queue
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

ERROR = Status.STATUS_CODE_ERROR


@dataclass(frozen=True)
class ReceivedSpan:
    """A span as it came over the wire."""

    name: str
    trace_id: str
    span_id: str
    parent_id: str
    is_request: bool
    failed: bool
    attributes: dict[str, Any]
    events: dict[str, dict[str, Any]]
    resource: dict[str, Any]
    text: str


def read_attributes(pairs: Iterable[KeyValue]) -> dict[str, Any]:
    """Read what OTLP writes as a list of pairs."""
    return {
        pair.key: getattr(pair.value, pair.value.WhichOneof("value") or "string_value")
        for pair in pairs
    }


def read_span(span: Span, resource: dict[str, Any]) -> ReceivedSpan:
    """Read a span."""
    return ReceivedSpan(
        name=span.name,
        trace_id=span.trace_id.hex(),
        span_id=span.span_id.hex(),
        parent_id=span.parent_span_id.hex(),
        is_request=span.kind == Span.SPAN_KIND_SERVER,
        failed=span.status.code == ERROR,
        attributes=read_attributes(span.attributes),
        events={event.name: read_attributes(event.attributes) for event in span.events},
        resource=resource,
        text=str(span),
    )


class Collector(ThreadingHTTPServer):
    """A collector that keeps what it gets."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), CollectorHandler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.received: Queue[ReceivedSpan] = Queue()

    def spans(self, count: int) -> list[ReceivedSpan]:
        """Wait for so many spans, in the order in which they ended."""
        return [self.received.get(timeout=10) for _ in range(count)]

    def trace(self) -> list[ReceivedSpan]:
        """Wait for a request, and give the spans below it, and then its own."""
        spans = self.spans(1)
        while not spans[-1].is_request:
            spans += self.spans(1)
        return spans


class CollectorHandler(BaseHTTPRequestHandler):
    """Take what exporters send."""

    server: Collector

    def do_POST(self) -> None:
        """Take a batch."""
        assert self.path == "/v1/traces"
        body = self.rfile.read(int(self.headers["Content-Length"]))
        for part in ExportTraceServiceRequest.FromString(body).resource_spans:
            resource = read_attributes(part.resource.attributes)
            for scope in part.scope_spans:
                for span in scope.spans:
                    self.server.received.put(read_span(span, resource))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Keep quiet."""


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    """A collector to which services send their spans at once."""
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "10")
    with Collector() as collector:
        thread = threading.Thread(target=collector.serve_forever, args=(0.01,))
        thread.start()
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
        yield collector
        collector.shutdown()
        thread.join()

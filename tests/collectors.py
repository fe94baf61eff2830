"""A collector of traces: OTLP over HTTP, as protobuf, on a port of its own."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span


class Collector(ThreadingHTTPServer):
    """A collector that keeps all it is sent, and may be slow to answer."""

    daemon_threads = True

    def __init__(self) -> None:
        """Listen on a free port."""
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.spans: list[Span] = []
        self.resources: list[dict[str, str]] = []
        self.bodies: list[bytes] = []
        self.seconds = 0.0

    def wait_for(self, count: int) -> list[Span]:
        """Wait until there are so many requests, and give all spans."""
        deadline = time.monotonic() + 20
        while len(self.requests()) < count:
            assert time.monotonic() < deadline, [span.name for span in self.spans]
            time.sleep(0.05)
        return self.spans

    def requests(self) -> list[Span]:
        """Give the spans of requests."""
        return [span for span in self.spans if span.kind == Span.SPAN_KIND_SERVER]


class Handler(BaseHTTPRequestHandler):
    """Take batches."""

    server: Collector

    def do_POST(self) -> None:
        """Take a batch."""
        time.sleep(self.server.seconds)
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.bodies.append(body)
        for part in ExportTraceServiceRequest.FromString(body).resource_spans:
            resource = {item.key: item.value.string_value for item in part.resource.attributes}
            self.server.resources.append(resource)
            for scope in part.scope_spans:
                self.server.spans.extend(scope.spans)
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Keep quiet."""


@contextmanager
def collecting(seconds: float = 0) -> Iterator[Collector]:
    """Run a collector that takes so long to answer."""
    with Collector() as collector:
        collector.seconds = seconds
        threading.Thread(target=collector.serve_forever, args=(0.05,), daemon=True).start()
        yield collector
        collector.shutdown()


def attributes(span: Span) -> dict[str, Any]:
    """Read the attributes of a span."""
    return {
        item.key: getattr(item.value, item.value.WhichOneof("value") or "string_value")
        for item in span.attributes
    }

"""Time requests with telemetry left out, off, with metrics, and with traces that are sent.

Each variant is the same service as in production, with one worker. They take short turns, so that a
machine that is busy with other things slows down all of them; the processor time of the worker for
each request is what such a machine changes least.
Usage: python benchmarks/telemetry.py [seconds of each turn]
"""

import asyncio
import multiprocessing
import statistics
import sys
import tempfile
from contextlib import ExitStack
from multiprocessing.connection import Connection
from pathlib import Path
from urllib.parse import urlsplit

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from load import children_of, keep_busy, processor_time

from tests.collectors import Collector
from tests.projects import clone_template, generate
from tests.services import Service, add_own_router, booted, install

TURNS = 10
BODY = b'{"text": "Hello"}'
REQUEST = (
    b"POST /api/v1/notes HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    b"Content-Length: %d\r\n\r\n%s" % (len(BODY), BODY)
)
SMALL = {"database": "none", "jwt_auth": False, "rate_limiting": False}


def collect(ready: Connection) -> None:
    """Run a collector in a process of its own, and tell its address."""
    collector = Collector()
    ready.send(collector.url)
    collector.serve_forever()


def worker_time(service: Service) -> float:
    """Read how many seconds of processor time the worker has used."""
    [worker] = children_of(service.process.pid)
    return processor_time(worker)


def take_turn(service: Service, seconds: float) -> tuple[list[float], float]:
    """Keep a service busy; give the times of its requests, and its processor time."""
    used = worker_time(service)
    times = asyncio.run(keep_busy(urlsplit(service.url).port or 0, REQUEST, seconds))
    return times, worker_time(service) - used


def report(variant: str, turns: list[tuple[list[float], float]], seconds: float) -> None:
    """Print one line of figures."""
    times = [milliseconds for part, _ in turns for milliseconds in part]
    used = sum(seconds for _, seconds in turns)
    rate = statistics.median(len(part) for part, _ in turns) / seconds
    p50, p99 = statistics.median(times), statistics.quantiles(times, n=100)[98]
    print(
        f"{variant:14} {used / len(times) * 1e6:5.0f} us of processor time a request   "
        f"{rate:5.0f} requests/s   p50 {p50:5.2f} ms   p99 {p99:5.2f} ms"
    )


def main() -> None:
    """Write the projects, run all variants, and measure them in turns."""
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 0.6
    receiving, ready = multiprocessing.Pipe(duplex=False)
    collector = multiprocessing.Process(target=collect, args=(ready,), daemon=True)
    collector.start()
    traces = {"OTEL_EXPORTER_OTLP_ENDPOINT": receiving.recv()}
    sampled = {"OTEL_TRACES_SAMPLER": "traceidratio", "OTEL_TRACES_SAMPLER_ARG": "0.01"}
    metrics = {"METRICS_TOKEN": "a-token-that-nobody-can-guess-123"}

    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        template = clone_template(folder / "template")
        projects = {}
        for telemetry in (False, True):
            answers = {**SMALL, "telemetry": telemetry}
            projects[telemetry] = generate("copier", template, folder / str(telemetry), answers)
            install(projects[telemetry])
            add_own_router(projects[telemetry])
        services = {}
        variants: list[tuple[str, bool, dict[str, str]]] = [
            ("left out", False, {}),
            ("off", True, {}),
            ("metrics", True, metrics),
            ("1 % of traces", True, {**traces, **sampled}),
            ("all traces", True, traces),
        ]
        for variant, telemetry, settings in variants:
            running = booted(projects[telemetry], LOG_LEVEL="warning", **settings)
            services[variant] = stack.enter_context(running)

        turns: dict[str, list[tuple[list[float], float]]] = {variant: [] for variant in services}
        for _ in range(TURNS):
            for variant, service in services.items():
                turns[variant].append(take_turn(service, seconds))
        for variant in services:
            report(variant, turns[variant], seconds)
    collector.terminate()


if __name__ == "__main__":
    main()

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from app.jobs.worker import work
from app.settings import Settings
from tests.redis import needs_redis

PROJECT_ROOT = Path(__file__).parents[2]
AWAY = "redis://127.0.0.1:1/0"

Run = Callable[..., list[subprocess.Popen[str]]]


@pytest.fixture
def run() -> Iterator[Run]:
    """Start a worker and a scheduler, neither of which outlives the test."""
    processes: list[subprocess.Popen[str]] = []

    def run(**settings: str) -> list[subprocess.Popen[str]]:
        for name in ("worker", "scheduler"):
            process = subprocess.Popen(
                [sys.executable, "-m", f"app.jobs.{name}"],
                cwd=PROJECT_ROOT,
                env={**os.environ, "ENVIRONMENT": "test", **settings},
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            processes.append(process)
        return processes

    yield run
    for process in processes:
        process.kill()
        process.communicate()


def test_without_redis_nothing_starts_beside_the_service(run: Run) -> None:
    worker, scheduler = run(REDIS_URL="")
    reason = "cannot start without REDIS_URL: jobs run in the web process then.\n"
    assert worker.communicate(timeout=30) == ("", f"The worker {reason}")
    assert scheduler.communicate(timeout=30) == ("", f"The scheduler {reason}")
    assert (worker.returncode, scheduler.returncode) == (1, 1)


def test_a_stop_ends_worker_and_scheduler_in_order_though_redis_is_away(run: Run) -> None:
    worker, scheduler = run(REDIS_URL=AWAY)
    for process, line in ((worker, "queue_unavailable"), (scheduler, "process_started")):
        assert process.stdout
        while f'"{line}"' not in process.stdout.readline():
            assert process.poll() is None
        process.send_signal(signal.SIGTERM)
        output, errors = process.communicate(timeout=30)
        assert '"process_stopped"' in output.splitlines()[-1]
        assert (process.returncode, errors) == (0, "")


@needs_redis
def test_a_worker_stops_at_any_moment() -> None:
    async def come_and_go(steps: int) -> None:
        stop = asyncio.Event()
        worker = asyncio.create_task(work(Settings(environment="test"), stop))
        for _ in range(steps):
            await asyncio.sleep(0)
        stop.set()
        await worker

    for steps in range(0, 120, 3):
        asyncio.run(asyncio.wait_for(come_and_go(steps), 10))

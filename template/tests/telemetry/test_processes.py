import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from fastapi import APIRouter
from fastapi.testclient import TestClient
from prometheus_client import values

from app.telemetry.workers import FOLDER_VARIABLE
from tests.telemetry.test_metrics import count_requests, samples

StartWorker = Callable[[int], TestClient]

parcels = APIRouter(prefix="/parcels")


@parcels.get("")
async def list_parcels() -> None:
    pass


@pytest.fixture
def start_worker(
    start: Callable[..., TestClient], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> StartWorker:
    """Start a service that shares metrics, as if it ran in the process with this id."""
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path))

    def start_worker(pid: int) -> TestClient:
        value_class = values.MultiProcessValue(lambda: pid)  # type: ignore[no-untyped-call]
        monkeypatch.setattr(values, "ValueClass", value_class)
        return start(parcels)

    return start_worker


@pytest.fixture
def dead_pid() -> int:
    """The id of a process that has ended."""
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        return process.pid


def test_each_worker_gives_the_sums_over_all(start_worker: StartWorker) -> None:
    first = start_worker(os.getppid())
    first.get("/parcels")
    second = start_worker(os.getpid())
    second.get("/parcels")
    for worker in (first, second):
        assert count_requests(worker) == {("GET", "/parcels", "200"): 2}


def test_what_the_dead_have_counted_stays_and_what_they_held_is_let_go(
    start_worker: StartWorker, dead_pid: int
) -> None:
    dead = start_worker(dead_pid)
    dead.get("/parcels")
    dead.app.state.metrics.active_requests.inc()  # type: ignore[attr-defined]
    alive = start_worker(os.getpid())
    assert count_requests(alive) == {("GET", "/parcels", "200"): 1}
    assert samples(alive, "http_server_active_requests") == {(): 0}


def test_each_process_that_runs_is_measured(start_worker: StartWorker, dead_pid: int) -> None:
    for pid in (dead_pid, os.getppid()):
        start_worker(pid)
    alive = start_worker(os.getpid())
    measured = samples(alive, "process_resident_memory_bytes", "pid")
    assert set(measured) == {(str(os.getpid()),), (str(os.getppid()),)}

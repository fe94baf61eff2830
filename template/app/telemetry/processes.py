"""Metrics of several processes: what workers leave in files, and what each of them uses."""

import os
from collections.abc import Iterable
from functools import partial
from pathlib import Path

from prometheus_client import Metric
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

from app.telemetry.workers import FOLDER_VARIABLE


def shared_folder() -> str:
    """Where workers leave their metrics; empty where there is but one process."""
    return os.environ.get(FOLDER_VARIABLE, "")


def known_processes() -> set[int]:
    """Give the ids of all processes that have measured anything, the dead included."""
    if not shared_folder():
        return {os.getpid()}
    return {int(file.stem.rpartition("_")[2]) for file in Path(shared_folder()).glob("*.db")}


def is_running(pid: int) -> bool:
    """Whether there is such a process."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


class SharedMetrics(Collector):
    """The sums over all workers: what the dead have counted stays, what they held is let go."""

    def collect(self) -> Iterable[Metric]:
        """Read the files of all workers."""
        for pid in known_processes():
            if not is_running(pid):
                mark_process_dead(pid)  # type: ignore[no-untyped-call]
        collector = MultiProcessCollector(None)  # type: ignore[no-untyped-call]
        metrics: Iterable[Metric] = collector.collect()  # type: ignore[no-untyped-call]
        return metrics


class ProcessMetrics(Collector):
    """Memory, processor time and open files of each process."""

    def collect(self) -> Iterable[Metric]:
        """Read what the system knows of them; that is nothing without /proc."""
        families: dict[str, Metric] = {}
        for pid in filter(is_running, known_processes()):
            for metric in ProcessCollector(pid=partial(str, pid), registry=None).collect():
                family = Metric(metric.name, metric.documentation, metric.type)
                for sample in metric.samples:
                    labels = {**sample.labels, "pid": str(pid)}
                    families.setdefault(metric.name, family).add_sample(
                        sample.name, labels, sample.value
                    )
        return families.values()

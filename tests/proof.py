"""What a run has proved, as docs/proof.md: `pytest --write-proof`, or `make proof`."""

import ast
import os
import platform
import subprocess
import time
from collections import Counter, defaultdict
from datetime import UTC, datetime

import pytest

from tests.questions import REPOSITORY

PAGE = REPOSITORY / "docs" / "proof.md"
MATRIX = ["every_combination", "parity", "services", "update"]
"""Their tests go through combinations of answers, and get a line each."""


class Proof:
    """Counts what tests report, and writes the page when they end."""

    def __init__(self) -> None:
        """Start the clock."""
        self.started = time.monotonic()
        self.commit = commit()
        self.outcomes: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
        self.skipped: Counter[str] = Counter()
        self.longest: set[str] = set()
        self.seconds: dict[tuple[str, str], float] = defaultdict(float)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Count one phase of a test."""
        file, name = report.nodeid.split("[")[0].split("::")
        self.seconds[file, name] += report.duration
        if report.when == "call" or not report.passed:
            self.outcomes[file, name][report.outcome] += 1
        if report.skipped and isinstance(report.longrepr, tuple):
            self.skipped[report.longrepr[2].removeprefix("Skipped: ")] += 1
        if ("longer", True) in map(tuple, report.user_properties):
            self.longest.add(file)

    def pytest_sessionfinish(self) -> None:
        """Write the page."""
        files = sorted({file for file, _ in self.outcomes})
        PAGE.write_text(
            "\n".join([*self.head(), *self.promises(files), *self.matrix(files)]) + "\n"
        )

    def left_out(self) -> list[str]:
        """Say what was not tried, and why."""
        reasons = (f"- {count} tests: {reason}" for reason, count in sorted(self.skipped.items()))
        return ["", "Not tried:", "", *reasons] if self.skipped else []

    def head(self) -> list[str]:
        """Say when, where, how many and how long."""
        minutes = (time.monotonic() - self.started) / 60
        total = say(sum(self.outcomes.values(), Counter()))
        machine = (
            f"Python {platform.python_version()} on {platform.system()}, {os.cpu_count()} cores"
        )
        return [
            "# What was proved",
            "",
            "A run of all tests wrote this page: `make proof`. Times are sums over tests, of which two",
            "run at a time; what a file shares among its tests counts with the first. *Longer* is what",
            "`make test` leaves out.",
            "",
            f"{datetime.now(UTC):%Y-%m-%d}, {self.commit}, {machine}: {total}, in {minutes:.0f} minutes.",
            *self.left_out(),
        ]

    def promises(self, files: list[str]) -> list[str]:
        """Give a line to each file, whose docstring is the promise."""
        rows = []
        for file in files:
            keys = [key for key in self.outcomes if key[0] == file]
            outcomes = sum((self.outcomes[key] for key in keys), Counter[str]())
            seconds = sum(self.seconds[key] for key in keys)
            text = ast.get_docstring(ast.parse((REPOSITORY / file).read_text("utf-8"))) or ""
            longer = " *Longer.*" if file in self.longest else ""
            rows.append(f"| {text.splitlines()[0]}{longer} | {say(outcomes)} | {seconds:.0f} s |")
        return ["", "## Promises", "", "| promise | tests | time |", "| --- | --- | --- |", *rows]

    def matrix(self, files: list[str]) -> list[str]:
        """Give a line to each test of the matrix."""
        rows = []
        for file in (each for name in MATRIX for each in files if each.endswith(f"test_{name}.py")):
            for key in (key for key in self.outcomes if key[0] == file):
                text = key[1].removeprefix("test_").replace("_", " ")
                rows.append(f"| {text} | {say(self.outcomes[key])} | {self.seconds[key]:.0f} s |")
        return ["", "## Combinations", "", "| test | tried | time |", "| --- | --- | --- |", *rows]


def pytest_itemcollected(item: pytest.Item) -> None:
    """Let reports say which tests have the marker; their keywords name folders, too."""
    if item.get_closest_marker("proof"):
        item.user_properties.append(("longer", True))


def commit() -> str:
    """Name the commit that is proved, and whether files differ from it."""
    command = ("git", "describe", "--always", "--dirty=, with changes", "--exclude=*")
    result = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    return f"commit {result.stdout.strip()}" if result.returncode == 0 else "no commit"


def say(outcomes: Counter[str]) -> str:
    """Say how many ended how."""
    return ", ".join(f"{count} {outcome}" for outcome, count in sorted(outcomes.items()))

"""The commands of README.md work from a clean clone."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx2
import pytest

from tests.projects import check, clone_template
from tests.questions import REPOSITORY
from tests.services import free_port

pytestmark = pytest.mark.slow


def test_make_demo_answers_and_says_where(tmp_path: Path) -> None:
    repository = clone_template(tmp_path / "groundwork")
    port = free_port()
    log = tmp_path / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            ["make", "demo", f"PORT={port}"],
            cwd=repository,
            env={**os.environ, "UV_PYTHON": sys.executable, "VIRTUAL_ENV": ""},
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        url = f"http://127.0.0.1:{port}/docs"
        deadline = time.monotonic() + 180
        while not answers(url):
            assert process.poll() is None, log.read_text("utf-8")
            assert time.monotonic() < deadline, log.read_text("utf-8")
            time.sleep(0.5)
        assert url in log.read_text("utf-8")
    finally:
        os.killpg(process.pid, signal.SIGINT)
        process.wait(timeout=30)


def answers(url: str) -> bool:
    """Tell whether a page is there."""
    try:
        return httpx2.get(url).status_code == 200
    except httpx2.TransportError:
        return False


def test_every_make_target_of_the_readme_and_the_guide_exists() -> None:
    targets = check("make", "help", cwd=REPOSITORY)
    for document in ("README.md", "CONTRIBUTING.md"):
        text = (REPOSITORY / document).read_text("utf-8")
        for name in re.findall(r"^make (\w+) ", text, re.MULTILINE):
            known = f"\n{name} " in f"\n{targets}"
            assert known or name in {"run", "update"}, f"{document}: make {name}"


def test_the_links_of_the_documents_lead_somewhere() -> None:
    for document in [*REPOSITORY.glob("*.md"), *(REPOSITORY / "docs").glob("*.md")]:
        for link in re.findall(r"\]\((?!https?://)([^)#]+)", document.read_text("utf-8")):
            assert (document.parent / link).exists(), f"{document.name}: {link}"

"""The commands of README.md work from a clean clone."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest

from tests.projects import check, clone_template, run
from tests.questions import REPOSITORY
from tests.services import free_port

pytestmark = pytest.mark.slow


NEEDS = [
    *("base64", "chmod", "cksum", "cp", "cut", "dirname", "env", "expand", "git", "grep", "head"),
    *("make", "mkdir", "mv", "realpath", "rm", "sed", "sh", "tr"),
]
"""Beside Python: what every machine with make and git has."""


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """Give a clone in a folder whose name has a space."""
    return clone_template(tmp_path / "ground work")


@pytest.fixture
def machine(tmp_path: Path) -> dict[str, str]:
    """Give the environment of a machine with Python, make and git alone."""
    path = tmp_path / "bin"
    path.mkdir()
    for name in NEEDS:
        (path / name).symlink_to(shutil.which(name) or name)
    (path / "python3").symlink_to(sys.executable)
    kept = ("LANG", "SSL_CERT_FILE", "TMPDIR", "UV_CACHE_DIR", "UV_PYTHON_DOWNLOADS")
    environment = {name: os.environ[name] for name in kept if name in os.environ}
    pip = {name: value for name, value in os.environ.items() if name.startswith("PIP_")}
    home = tmp_path / "my home"
    home.mkdir()
    return {**environment, **pip, "HOME": str(home), "PATH": str(path)}


@contextmanager
def demo(clone: Path, environment: dict[str, str]) -> Iterator[str]:
    """Run `make demo`, give what it has printed when its page answers, and press Ctrl-C."""
    port = free_port()
    log = clone.parent / "log"
    with (
        log.open("wb") as output,
        subprocess.Popen(
            ["make", "demo", f"PORT={port}"],
            cwd=clone,
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        ) as process,
    ):
        url = f"http://127.0.0.1:{port}/docs"
        try:
            deadline = time.monotonic() + 180
            while not answers(url):
                assert process.poll() is None, log.read_text("utf-8")
                assert time.monotonic() < deadline, log.read_text("utf-8")
                time.sleep(0.1)
            text = log.read_text("utf-8")
            assert url in text
            yield text
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGINT)
    assert "Traceback" not in log.read_text("utf-8")
    assert not answers(url)


def test_make_demo_installs_what_it_needs_and_keeps_what_is_there(
    clone: Path, machine: dict[str, str]
) -> None:
    with demo(clone, machine) as said:
        # copier, unless uv has it in its cache, and what the service runs on
        *copier, service = (int(number) for number in re.findall(r"Installed (\d+) packages", said))
        assert all(size < 30 for size in copier), said
        assert service < 60, said
        assert [line[:3] for line in said.splitlines() if line[1:3] == "/3"] == [
            "1/3",
            "2/3",
            "3/3",
        ]
    (cache,) = Path(machine["HOME"], ".cache", "groundwork").iterdir()
    assert not (cache / "demo" / "bin" / "pytest").exists()
    size = sum(path.stat().st_size for path in (clone / "build").rglob("*") if path.is_file())
    assert size < 5_000_000, "environments belong outside the clone"

    main = clone / "build" / "demo" / "app" / "main.py"
    main.write_text(main.read_text("utf-8") + "\n# mine\n", "utf-8")
    with demo(clone, machine) as said:
        assert "remove it first: rm -r build/demo" in said
    assert main.read_text("utf-8").endswith("# mine\n")

    check("make", "clean", cwd=clone, **machine, XDG_CACHE_HOME=str(cache.parents[1]))
    assert not cache.exists()
    assert main.exists()


def test_make_demo_says_in_a_sentence_what_stands_in_its_way(
    clone: Path, machine: dict[str, str]
) -> None:
    own = {**machine, "UV": shutil.which("uv") or ""}

    def refused(*arguments: str, **environment: str) -> str:
        command = (
            "env",
            "--ignore-environment",
            *(f"{k}={v}" for k, v in (own | environment).items()),
        )
        result = run(*command, "make", "demo", f"UV={own['UV']}", *arguments, cwd=clone)
        assert result.returncode == 2, result.stdout
        assert not (clone / "build" / "demo").exists()
        sentence, trouble = result.stderr.splitlines()
        assert trouble.startswith("make: *** ")
        return sentence

    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert refused(f"PORT={port}").startswith(f"Port {port} is in use")
    assert refused("PORT=many").startswith("Port many is in use, or is none.")
    (clone / "build").write_text("a file", "utf-8")
    assert refused("PORT=8123").startswith("build cannot be written to.")
    (clone / "build").unlink()
    (clone / "mine").mkdir()
    (clone / "mine" / "thesis.txt").write_text("years", "utf-8")
    assert refused("DEMO=mine", f"PORT={free_port()}").startswith(
        "mine is no project of this template."
    )
    assert (clone / "mine" / "thesis.txt").exists()
    old = Path(machine["PATH"], "python3")
    old.unlink()
    old.write_text("#!/bin/sh\nexit 1\n")
    old.chmod(0o755)
    assert refused().startswith("The demo needs Python 3.11 or newer")


def test_tests_find_the_uv_that_make_brought(clone: Path, machine: dict[str, str]) -> None:
    brought = clone.parent / "brought by make"
    brought.mkdir()
    (brought / "uv").write_text('#!/bin/sh\necho "$PATH"\n', "utf-8")
    (brought / "uv").chmod(0o755)
    path = check("make", "--silent", "quick", f"UV={brought}/uv", cwd=clone, **machine)
    assert path.strip().split(":") == [machine["PATH"], str(brought)]


def test_what_make_leaves_is_small_for_cookiecutter_to_copy(
    clone: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cookiecutter copies the whole folder before its first question."""
    before = megabytes(clone)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    check("make", "lint", cwd=clone, UV_PYTHON=sys.executable, VIRTUAL_ENV="")
    assert megabytes(clone) < before + 5
    assert {path.name for path in (tmp_path / "cache" / "groundwork").glob("clone-*/*")} >= {
        *("living", "mypy", "venv"),
    }


def megabytes(folder: Path) -> float:
    """Add up the files of a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6


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

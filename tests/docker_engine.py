"""Docker for the tests: the machine's own, or an engine that scripts/docker_engine.sh has fetched."""

import fcntl
import hashlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

from tests.projects import run
from tests.services import need

CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
# runc refuses a container whose folder is reached by a symbolic link, which .ci/run makes
FOLDER = (CACHE / "groundwork" / "docker").resolve()
PID_FILE, SOCKET, LOG = FOLDER / "docker.pid", FOLDER / "docker.sock", FOLDER / "docker.log"

RECIPE = Path(__file__).with_name("stand_ins.Dockerfile")
STAND_INS = {"python": "python:3.14-slim", "postgres": "postgres:18", "redis": "redis:8"}
"""What the recipe makes, and the images for which it stands."""
CACHE_LIMIT = "2GB"


@dataclass
class Docker:
    """The command `docker`, for an engine that answers."""

    environment: dict[str, str] = field(default_factory=dict)

    def run(
        self, *words: str | Path, cwd: Path = Path("/"), **environment: str
    ) -> subprocess.CompletedProcess[str]:
        """Run a command to its end; the caller judges the exit status."""
        return run("docker", *words, cwd=cwd, **self.environment, **environment)

    def check(self, *words: str | Path, cwd: Path = Path("/"), **environment: str) -> str:
        """Run a command that must succeed, and return what it printed."""
        result = self.run(*words, cwd=cwd, **environment)
        assert result.returncode == 0, f"{words} failed:\n{result.stdout}\n{result.stderr}"
        return result.stdout.strip()

    def answers(self) -> bool:
        """Tell whether there are an engine and Compose."""
        if not shutil.which("docker", path=self.environment.get("PATH")):
            return False
        commands = (("info",), ("compose", "version"))
        return all(self.run(*words).returncode == 0 for words in commands)


@contextmanager
def docker_engine() -> Iterator[Docker]:
    """Give a Docker that works for as long as the block takes.

    All processes that test at the same time share one engine: the first starts it, the last stops
    it. Its folder stays, so that the next start finds images and caches.
    """
    if (docker := Docker()).answers():
        yield docker
        return
    need((FOLDER / "fetched").exists(), "needs Docker: scripts/docker_engine.sh fetches one")
    docker = Docker(own_environment())
    with (FOLDER / "door").open("w") as door, (FOLDER / "users").open("w") as users:
        with locked(door):
            fcntl.flock(users, fcntl.LOCK_SH)
            if not docker.answers():
                start(docker)
            build_stand_ins(docker)
        try:
            yield docker
        finally:
            with locked(door):
                fcntl.flock(users, fcntl.LOCK_UN)
                if is_free(users):
                    tidy(docker)
                    stop()


def own_environment() -> dict[str, str]:
    """Let `docker` find the fetched programs and the engine's socket."""
    programs = FOLDER / "root" / "usr"
    return {
        "DOCKER_CONFIG": str(FOLDER / "config"),
        "DOCKER_HOST": f"unix://{SOCKET}",
        "PATH": f"{programs / 'bin'}:{programs / 'sbin'}:{os.environ['PATH']}:/usr/sbin:/sbin",
    }


@contextmanager
def locked(door: TextIO) -> Iterator[None]:
    """Let one process at a time start or stop the engine."""
    fcntl.flock(door, fcntl.LOCK_EX)
    try:
        yield
    finally:
        fcntl.flock(door, fcntl.LOCK_UN)


def is_free(users: TextIO) -> bool:
    """Tell whether no other process uses the engine."""
    try:
        fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def start(docker: Docker) -> None:
    """Start the engine, and wait until it answers; nobody else does so at the same time."""
    plugins = FOLDER / "config" / "cli-plugins"
    shutil.copytree(
        FOLDER / "root" / "usr" / "libexec" / "docker" / "cli-plugins", plugins, dirs_exist_ok=True
    )
    # What a machine leaves that was switched off: nobody answers at this socket.
    shutil.rmtree(FOLDER / "exec", ignore_errors=True)
    PID_FILE.unlink(missing_ok=True)
    with LOG.open("wb") as log:
        process = subprocess.Popen(
            [
                FOLDER / "root" / "usr" / "sbin" / "dockerd",
                *("--host", f"unix://{SOCKET}", "--pidfile", PID_FILE),
                *("--data-root", FOLDER / "data", "--exec-root", FOLDER / "exec"),
            ],
            env={**os.environ, **docker.environment},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    deadline = time.monotonic() + 60
    while not docker.answers():
        assert process.poll() is None, f"dockerd has ended:\n{LOG.read_text('utf-8')}"
        if time.monotonic() > deadline:
            process.kill()
            message = f"dockerd does not answer:\n{LOG.read_text('utf-8')}"
            raise AssertionError(message)
        time.sleep(0.2)


def tidy(docker: Docker) -> None:
    """Keep the engine's folder from growing with each run; what was used last stays."""
    docker.run("image", "prune", "--force")
    docker.run("builder", "prune", "--force", "--keep-storage", CACHE_LIMIT)


def stop() -> None:
    """Stop the engine, and with it all containers; it removes its pid file at the end."""
    pid = int(PID_FILE.read_text("utf-8"))
    os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + 60
    while PID_FILE.exists():
        if time.monotonic() > deadline:
            os.kill(pid, signal.SIGKILL)
            PID_FILE.unlink()
            message = f"dockerd does not stop:\n{LOG.read_text('utf-8')}"
            raise AssertionError(message)
        time.sleep(0.1)
    with suppress(ChildProcessError):  # another process may have started it
        os.waitpid(pid, 0)


def build_stand_ins(docker: Docker) -> None:
    """Make images under the names of those that cannot be pulled, unless an earlier run has."""
    certificates = Path("/etc/ssl/certs/ca-certificates.crt")
    version = hashlib.sha256(RECIPE.read_bytes() + certificates.read_bytes()).hexdigest()
    form = '{{ index .Config.Labels "stand-in" }}'
    for target, image in STAND_INS.items():
        if docker.run("image", "inspect", "--format", form, image).stdout.strip() != version:
            docker.check(
                *("build", "--quiet", "--file", RECIPE, "--target", target, "--tag", image),
                *("--label", f"stand-in={version}"),
                *("--build-context", f"certificates={certificates.parent}", FOLDER / "stand-ins"),
            )

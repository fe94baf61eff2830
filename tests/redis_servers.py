"""Redis servers of the tests' own, which they may stop and start again."""

import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tests.projects import run
from tests.services import free_port, need


@dataclass
class RedisServer:
    """A server that keeps what it is told in its folder, over stops and starts."""

    folder: Path
    port: int
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where clients find it."""
        return f"redis://127.0.0.1:{self.port}/0"

    def command(self, *words: str) -> str:
        """Give it a command, such as `PING`, and return what it answers."""
        result = run("redis-cli", "-p", str(self.port), *words, cwd=self.folder)
        return result.stdout.strip()

    def start(self) -> None:
        """Start it, and wait until it answers and has read what it kept."""
        options = ("--appendonly", "yes", "--appendfsync", "always", "--save", "")
        with (self.folder / "redis.log").open("ab") as log:
            self.process = subprocess.Popen(
                ["redis-server", "--bind", "127.0.0.1", "--port", str(self.port), *options],
                cwd=self.folder,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        deadline = time.monotonic() + 15
        while self.command("PING") != "PONG":
            assert time.monotonic() < deadline, (self.folder / "redis.log").read_text("utf-8")
            time.sleep(0.05)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        """End it: in order, or with SIGKILL as a machine that fails."""
        if self.process:
            self.process.send_signal(number)
            self.process.wait(timeout=15)
            self.process = None

    def hang(self) -> None:
        """Keep its connections open and answer nobody, until `wake`."""
        assert self.process
        self.process.send_signal(signal.SIGSTOP)

    def wake(self) -> None:
        """Answer again."""
        assert self.process
        self.process.send_signal(signal.SIGCONT)


@contextmanager
def redis_server(folder: Path) -> Iterator[RedisServer]:
    """Run a Redis for the test; the machine's own is left alone."""
    need(shutil.which("redis-server"), "needs redis-server and redis-cli")
    folder.mkdir(parents=True, exist_ok=True)
    server = RedisServer(folder, free_port())
    server.start()
    try:
        yield server
    finally:
        with suppress(AssertionError):
            server.wake()
        server.stop(signal.SIGKILL)

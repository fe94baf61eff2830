"""Redis servers of the tests' own, which they may stop and start again."""

import select
import signal
import socket
import socketserver
import struct
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import valkey

from tests.servers import ask_redis, redis_program
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
        with suppress(valkey.ConnectionError):
            return ask_redis(self.url, *words).strip()
        return ""

    def start(self) -> None:
        """Start it, and wait until it answers and has read what it kept."""
        options = ("--appendonly", "yes", "--appendfsync", "always", "--save", "")
        with (self.folder / "redis.log").open("ab") as log:
            self.process = subprocess.Popen(
                [str(redis_program()), "--bind", "127.0.0.1", "--port", str(self.port), *options],
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
    need(redis_program(), "needs redis-server: apt-get install redis-server")
    folder.mkdir(parents=True, exist_ok=True)
    server = RedisServer(folder, free_port())
    server.start()
    try:
        yield server
    finally:
        with suppress(AssertionError):
            server.wake()
        server.stop(signal.SIGKILL)


class Firewall(socketserver.ThreadingTCPServer):
    """A way to a server that may reset all connections at once, as is done to idle ones."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, server: RedisServer) -> None:
        """Take a port; `serve_forever` begins to pass on what comes."""
        super().__init__(("127.0.0.1", 0), Passage)
        self.target = ("127.0.0.1", server.port)
        self.url = f"redis://127.0.0.1:{self.server_address[1]}/0"
        self.clients: set[socket.socket] = set()

    def shutdown_request(self, request: socket.socket | tuple[bytes, socket.socket]) -> None:
        """Close a connection, without a word before that."""
        self.close_request(request)

    def reset(self) -> None:
        """Let clients find each connection reset (RST) that is open now."""
        known = self.clients.copy()
        for client in known:
            with suppress(OSError):  # which has gone by itself
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                client.shutdown(socket.SHUT_RD)
        while self.clients & known:
            time.sleep(0.01)


class Passage(socketserver.BaseRequestHandler):
    """One connection through the firewall."""

    server: Firewall
    request: socket.socket

    def handle(self) -> None:
        """Pass on what both sides say."""
        self.server.clients.add(self.request)
        with suppress(OSError), socket.create_connection(self.server.target) as server:
            other = {self.request: server, server: self.request}
            while True:
                for side in select.select(list(other), [], [])[0]:
                    if not (data := side.recv(65536)):
                        return
                    other[side].sendall(data)

    def finish(self) -> None:
        """Forget the connection, which is closed next."""
        self.server.clients.discard(self.request)


@contextmanager
def firewall(server: RedisServer) -> Iterator[Firewall]:
    """Stand between the server and its clients."""
    with Firewall(server) as wall:
        thread = threading.Thread(target=wall.serve_forever)
        thread.start()
        yield wall
        wall.shutdown()
        thread.join()

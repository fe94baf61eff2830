"""Deliver messages to everybody in a room, beside a bare Starlette broadcast on the same server.

The bare one sends to one client after the other, and waits for each: no queues, no limits, no
origins, no slow clients.
Usage: python benchmarks/rooms.py [clients]
"""

import asyncio
import base64
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import cast

import httpx2

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.projects import clone_template, generate
from tests.services import booted, free_port, install

BARE = """
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocketDisconnect

room = set()

async def join(websocket):
    await websocket.accept()
    room.add(websocket)
    try:
        while True:
            text = await websocket.receive_text()
            for member in list(room):
                await member.send_text(text)
    except WebSocketDisconnect:
        room.remove(websocket)

async def livez(request):
    return PlainTextResponse("ok")

app = Starlette(routes=[WebSocketRoute("/api/v1/rooms/{room}", join), Route("/livez", livez)])
"""
MARK = "Q"
MESSAGE = {"type": "say", "text": MARK + "x" * 100}
WINDOW, ROUNDS, SINGLE = 20, 10, 100


class Client(asyncio.Protocol):
    """A socket that counts the messages it gets, and does nothing else with them."""

    def __init__(self, path: str, progress: asyncio.Event) -> None:
        """Set `progress` whenever something arrives."""
        self.path = path
        self.progress = progress
        self.received = 0
        self.open: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for a WebSocket."""
        self.transport = cast("asyncio.Transport", transport)
        key = base64.b64encode(os.urandom(16)).decode()
        self.transport.write(
            f"GET {self.path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\n"
            "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
            f"Sec-WebSocket-Key: {key}\r\n\r\n".encode()
        )

    def data_received(self, data: bytes) -> None:
        """Count."""
        if not self.open.done():
            self.open.set_result(data)
            return
        self.received += data.count(MARK.encode())
        self.progress.set()

    def say(self, text: bytes) -> None:
        """Send a text frame, masked with zeros."""
        header = b"\x81" + bytes([0x80 | 126]) + len(text).to_bytes(2, "big")
        self.transport.write(header + bytes(4) + text)


async def measure(url: str, members: int) -> None:
    """Print how many messages a second arrive, and how long one takes to reach everybody."""
    loop = asyncio.get_running_loop()
    host, port = url.removeprefix("http://").split(":")
    progress = asyncio.Event()
    clients: list[Client] = []
    for number in range(members):
        path = f"/api/v1/rooms/lobby?name=m{number}"
        _, client = await loop.create_connection(partial(Client, path, progress), host, int(port))
        await client.open
        clients.append(client)
    await asyncio.sleep(1)

    async def everybody_has(count: int) -> None:
        while min(client.received for client in clients) < count:
            progress.clear()
            await progress.wait()

    speaker, sent, text = clients[0], 0, json.dumps(MESSAGE).encode()
    times = []
    for _ in range(SINGLE):
        start = time.perf_counter()
        speaker.say(text)
        sent += 1
        await everybody_has(sent)
        times.append((time.perf_counter() - start) * 1000)
    start = time.perf_counter()
    for _ in range(ROUNDS):
        for _ in range(WINDOW):
            speaker.say(text)
        sent += WINDOW
        await everybody_has(sent)
    seconds = time.perf_counter() - start
    rate = ROUNDS * WINDOW * members / seconds
    p50, p99 = statistics.median(times), statistics.quantiles(times, n=100)[98]
    print(
        f"{rate:8.0f} messages/s delivered; one message reaches all {members}: "
        f"p50 {p50:5.1f} ms   p99 {p99:5.1f} ms"
    )
    for client in clients:
        client.transport.close()
    await asyncio.sleep(1)


@contextmanager
def bare(project: Path) -> Iterator[str]:
    """Run the bare broadcast with the project's own server, and one worker, as it does."""
    (project.parent / "bare.py").write_text(BARE, "utf-8")
    port = free_port()
    options = ["--interface", "asgi", "--no-log", "--workers-kill-timeout", "2"]
    process = subprocess.Popen(
        [str(project / ".venv/bin/granian"), *options, "--port", str(port), "bare:app"],
        cwd=project.parent,
        stderr=subprocess.DEVNULL,
    )
    url = f"http://127.0.0.1:{port}"
    try:
        for _ in range(100):
            try:
                httpx2.get(f"{url}/livez")
                break
            except httpx2.TransportError:
                time.sleep(0.1)
        yield url
    finally:
        process.terminate()
        process.wait(timeout=20)


def main() -> None:
    """Write a project, run it as in production with one worker, and measure."""
    members = int(sys.argv[1]) if len(sys.argv) > 1 else 500
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        template = clone_template(folder / "template")
        answers = {"websockets": True, "database": "none", "jwt_auth": False}
        project = generate("copier", template, folder, answers)
        install(project)
        for _ in range(2):
            with bare(project) as url:
                print("bare   ", end="", flush=True)
                asyncio.run(measure(url, members))
            with booted(project, ROOMS_MESSAGES_PER_SECOND="100000") as service:
                print("rooms  ", end="", flush=True)
                asyncio.run(measure(service.url, members))


if __name__ == "__main__":
    main()

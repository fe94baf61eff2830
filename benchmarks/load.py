"""What keeps a server busy and reads what that costs it, for the benchmarks beside it."""

import asyncio
import os
import time
from pathlib import Path

CLIENTS = 8


async def call(port: int, request: bytes, until: float) -> list[float]:
    """Send a request again and again on one connection; list the milliseconds of each answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    times = []
    while (start := time.perf_counter()) < until:
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 20"):
            raise SystemExit(head.decode())
        length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
        await reader.readexactly(int(length))
        times.append((time.perf_counter() - start) * 1000)
    writer.close()
    return times


async def keep_busy(port: int, request: bytes, seconds: float) -> list[float]:
    """Let all clients call a server of this machine at the same time; list the milliseconds."""
    until = time.perf_counter() + seconds
    calls = (call(port, request, until) for _ in range(CLIENTS))
    return [milliseconds for part in await asyncio.gather(*calls) for milliseconds in part]


def children_of(pid: int) -> list[int]:
    """List the processes that a process has started."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text("utf-8")
    return [int(child) for child in children.split()]


def processor_time(pid: int) -> float:
    """Read how many seconds of processor time a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

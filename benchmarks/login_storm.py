"""Time /livez while 50 logins are in flight, at rest, and with no bound on hashing.

Argon2 takes a core and 64 MiB for a tenth of a second. In as many threads as there are logins, it
would hold up every other request.
Usage: python benchmarks/login_storm.py [logins]
"""

import asyncio
import statistics
import sys
import tempfile
import time
from pathlib import Path

import httpx2

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.projects import clone_template, generate
from tests.services import booted, install, migrate

PASSWORD = "correct horse battery staple"  # noqa: S105
LOGIN = {"grant_type": "password", "username": "ann@example.com", "password": PASSWORD}
PAUSE = 0.01


async def probe(client: httpx2.AsyncClient, stop: asyncio.Event) -> list[float]:
    """Call /livez again and again, and list the milliseconds that each answer took."""
    times = []
    while not stop.is_set():
        start = time.perf_counter()
        response = await client.get("/livez")
        times.append((time.perf_counter() - start) * 1000)
        response.raise_for_status()
        await asyncio.sleep(PAUSE)
    return times


async def measure(url: str, logins: int) -> None:
    """Print how fast the service is, at rest and in the storm."""
    limits = httpx2.Limits(max_connections=logins)
    async with (
        httpx2.AsyncClient(base_url=url) as prober,
        httpx2.AsyncClient(base_url=url, limits=limits, timeout=120) as client,
    ):
        account = {"email": LOGIN["username"], "password": PASSWORD}
        await client.post("/api/v1/auth/register", json=account)

        stop = asyncio.Event()
        at_rest = asyncio.create_task(probe(prober, stop))
        await asyncio.sleep(5)
        stop.set()
        report("at rest", await at_rest)

        stop = asyncio.Event()
        in_storm = asyncio.create_task(probe(prober, stop))
        start = time.perf_counter()
        answers = await asyncio.gather(
            *(client.post("/api/v1/auth/token", data=LOGIN) for _ in range(logins))
        )
        seconds = time.perf_counter() - start
        stop.set()
        report(f"{logins} logins", await in_storm)
        successes = sum(answer.is_success for answer in answers)
        print(f"  {successes} of {logins} logged in, after {seconds:.1f} s")


def report(situation: str, times: list[float]) -> None:
    """Print one line of figures."""
    p50, p99 = statistics.median(times), statistics.quantiles(times, n=100)[98]
    print(
        f"  {situation:10}  /livez p50 {p50:6.2f} ms   p99 {p99:6.2f} ms   "
        f"worst {max(times):6.2f} ms ({len(times)} calls)"
    )


def main() -> None:
    """Write a project, run it as in production with one worker, and measure."""
    logins = int(sys.argv[1]) if len(sys.argv) > 1 else 50
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        template = clone_template(folder / "template")
        project = generate("copier", template, folder, {"database": "sqlite"})
        install(project)
        database = {"DATABASE_URL": f"sqlite:///{project}/app.db"}
        migrate(project, database)
        for limit in (2, logins):
            print(f"at most {limit} hashes at a time")
            settings = {**database, "PASSWORD_HASHING_LIMIT": str(limit)}
            with booted(project, **settings) as service:
                asyncio.run(measure(service.url, logins))


if __name__ == "__main__":
    main()

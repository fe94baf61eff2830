"""Time a read of 20 items: cached, uncached, unchanged (304), and cached without limits.

Three services run as in production beside each other: with everything on, without the cache, without
the limits. They are asked in turns, several times round, by callers who wait for each answer. Without
PostgreSQL or Redis, what needs them is left out.
Usage: python benchmarks/cache.py [rounds]
"""

import asyncio
import shutil
import statistics
import sys
import tempfile
import time
from contextlib import AsyncExitStack, ExitStack
from pathlib import Path

import httpx2

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.projects import clone_template, generate, run
from tests.questions import Answers
from tests.redis_servers import redis_server
from tests.servers import redis_program
from tests.services import POSTGRESQL, booted, database_for, install

PASSWORD = "correct horse battery staple"  # noqa: S105
ITEMS = "/api/v1/items"
CALLERS = 4
SECONDS = 0.5
WITHOUT: dict[str, Answers] = {
    "cached": {},
    "not cached": {"caching": False},
    "cached, no limits": {"rate_limiting": False},
}
Turn = tuple[str, httpx2.AsyncClient]


async def call(client: httpx2.AsyncClient) -> list[float]:
    """Read again and again, and list the milliseconds that each answer took."""
    times: list[float] = []

    async def one_caller() -> None:
        end = time.perf_counter() + SECONDS
        while (start := time.perf_counter()) < end:
            response = await client.get(ITEMS)
            times.append((time.perf_counter() - start) * 1000)
            if response.is_error:
                response.raise_for_status()

    await asyncio.gather(*(one_caller() for _ in range(CALLERS)))
    return times


async def fill(client: httpx2.AsyncClient) -> None:
    """Log in, and add the items."""
    account = {"email": f"{time.monotonic_ns()}@example.com", "password": PASSWORD}
    await client.post("/api/v1/auth/register", json=account)
    form = {"grant_type": "password", "username": account["email"], "password": PASSWORD}
    tokens = (await client.post("/api/v1/auth/token", data=form)).json()
    client.headers["Authorization"] = f"Bearer {tokens['access_token']}"
    for number in range(20):
        item = {"name": f"Item {number}", "description": "x" * 200}
        (await client.post(ITEMS, json=item)).raise_for_status()


async def measure(urls: dict[str, str], rounds: int) -> None:
    """Read from each service in turns, and print one line for each."""
    async with AsyncExitStack() as stack:
        turns: list[Turn] = []
        for name, url in urls.items():
            client = await stack.enter_async_context(httpx2.AsyncClient(base_url=url))
            await fill(client)
            turns.append((name, client))
            if name == "cached":
                tag = (await client.get(ITEMS)).headers["ETag"]
                headers = {**client.headers, "If-None-Match": tag}
                unchanged = httpx2.AsyncClient(base_url=url, headers=headers)
                turns.append(("unchanged (304)", await stack.enter_async_context(unchanged)))
        times: dict[str, list[float]] = {name: [] for name, _ in turns}
        for _ in range(rounds):
            for name, client in turns:
                times[name] += await call(client)
    for name, taken in times.items():
        p50, p99 = statistics.median(taken), statistics.quantiles(taken, n=100)[98]
        per_second = len(taken) / (SECONDS * rounds)
        print(f"    {name:20} {per_second:6.0f}/s   p50 {p50:6.2f} ms   p99 {p99:6.2f} ms")


def main() -> None:
    """Write the projects, run them as in production with one worker each, and measure."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 4
    databases = ["sqlite"]
    answers = ("psql", "-qAt", POSTGRESQL, "-c", "SELECT 1")
    if shutil.which("psql") and run(*answers, cwd=Path.cwd()).returncode == 0:
        databases.append("postgresql")
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        template = clone_template(folder / "template")
        projects = {}
        for part, without in WITHOUT.items():
            slug = part.replace(", ", "-").replace(" ", "-")
            chosen: Answers = {"caching": True, "project_slug": slug, **without}
            projects[part] = generate("copier", template, folder, chosen)
        environment = projects["cached"] / ".venv"
        install(projects["cached"])
        for project in projects.values():
            if not (project / ".venv").exists():
                (project / ".venv").symlink_to(environment)
        stores: dict[str, dict[str, str]] = {"memory": {}}
        if redis_program():
            stores["Redis"] = {"REDIS_URL": stack.enter_context(redis_server(folder / "redis")).url}
        for database in databases:
            for store, settings in stores.items():
                print(f"{database}, {store}, {CALLERS} callers, one process each")
                with ExitStack() as services:
                    urls = {}
                    for part, project in projects.items():
                        url = services.enter_context(database_for(project, {"database": database}))
                        own = {"REDIS_NAMESPACE": project.name, **settings}
                        service = booted(project, **url, **own)
                        urls[part] = services.enter_context(service).url
                    asyncio.run(measure(urls, rounds))


if __name__ == "__main__":
    main()

"""Count the jobs that one worker does in a second, beside bare Taskiq on the same Redis.

The task does nothing, so that this is what a job costs by itself: to be fetched, noted, run, and
finished. Bare Taskiq keeps no record of a job, or its results alone, and may lose jobs.
Usage: python benchmarks/jobs.py [jobs]
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.projects import check, clone_template, generate
from tests.redis_servers import RedisServer, redis_server
from tests.services import PRODUCTION, install

BARE = """
import os

from taskiq_redis import RedisAsyncResultBackend, RedisStreamBroker

URL = os.environ["REDIS_URL"]
broker = RedisStreamBroker(URL, queue_name=os.environ["QUEUE"], consumer_id="0")
if os.environ["RESULTS"]:
    broker = broker.with_result_backend(RedisAsyncResultBackend(URL, result_ex_time=3600))


@broker.task("nothing")
async def nothing() -> None: ...
"""

SUBMIT_BARE = """
import asyncio, sys, time
from bare import broker, nothing

async def main():
    await broker.startup()
    start = time.perf_counter()
    for _ in range(int(sys.argv[1])):
        await nothing.kiq()
    print(time.perf_counter() - start)
    await broker.shutdown()

asyncio.run(main())
"""

TASK = '''"""A task that does nothing."""

from typing import Literal

from app.jobs.schemas import JobRequest


class NothingRequest(JobRequest):
    """What to do: nothing."""

    task: Literal["nothing"]


async def do_nothing(_request: NothingRequest) -> None:
    """Do it."""
'''

SUBMIT = """
import asyncio, sys, time
from app.jobs.running import create_broker
from app.jobs.service import JobService
from app.nothing import NothingRequest
from app.settings import get_settings

async def main():
    broker = create_broker(get_settings())
    jobs = JobService(broker)
    await broker.startup()
    start = time.perf_counter()
    for _ in range(int(sys.argv[1])):
        await jobs.submit(NothingRequest(task="nothing"))
    print(time.perf_counter() - start)
    await broker.shutdown()

asyncio.run(main())
"""

CONCURRENCY = "10"


def prepare(project: Path) -> None:
    """Give the project a task that does nothing, and the same to bare Taskiq."""
    (project / "bare.py").write_text(BARE, "utf-8")
    (project / "app" / "nothing.py").write_text(TASK, "utf-8")
    tasks = project / "app" / "jobs" / "tasks.py"
    text = tasks.read_text("utf-8").replace(
        "    # your own below\n",
        '    # your own below\n    broker.register_task(do_nothing, "nothing")\n',
    )
    text = text.replace("write_report\n", "write_report\nfrom app.nothing import do_nothing\n", 1)
    tasks.write_text(text, "utf-8")


def measure(
    label: str, redis: RedisServer, project: Path, jobs: int, submit: str, *worker: str, **more: str
) -> None:
    """Fill the queue, let one worker empty it, and print both rates."""
    settings = {
        **PRODUCTION,
        "REDIS_URL": redis.url,
        "JOB_QUEUE_LIMIT": str(jobs),
        "JOB_CONCURRENCY": CONCURRENCY,
        "LOG_LEVEL": "WARNING",
        **more,
    }
    redis.command("FLUSHALL")
    python = project / ".venv" / "bin" / "python"
    seconds = float(check(python, "-c", submit, str(jobs), cwd=project, **settings))
    process = subprocess.Popen(
        [python, *worker],
        cwd=project,
        env={**os.environ, **settings},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        queue = more["QUEUE"]
        while not (done := finished(redis, queue, jobs)):
            time.sleep(0.01)
        start, before = time.perf_counter(), done
        while (done := finished(redis, queue, jobs)) < jobs:
            time.sleep(0.05)
        rate = (jobs - before) / (time.perf_counter() - start)
    finally:
        process.kill()
        process.wait()
    print(f"  {label:26} {rate:7.0f} jobs/s done   {jobs / seconds:7.0f} jobs/s submitted")


def finished(redis: RedisServer, queue: str, jobs: int) -> int:
    """Count the jobs that were acknowledged: read by the group, and pending no more."""
    words = redis.command("XINFO", "GROUPS", queue).split()
    group = dict(zip(words[::2], words[1::2], strict=False))
    read, pending = group.get("entries-read", "0"), group.get("pending", "0")
    return min(jobs, int(read or 0) - int(pending)) if read.isdigit() else 0


def main() -> None:
    """Write a project, and measure it beside bare Taskiq, each with one worker process."""
    jobs = int(sys.argv[1]) if len(sys.argv) > 1 else 3000
    with tempfile.TemporaryDirectory() as name, redis_server(Path(name, "redis")) as redis:
        folder = Path(name)
        template = clone_template(folder / "template")
        answers = {"background_tasks": True, "database": "none", "jwt_auth": False}
        project = generate("copier", template, folder, answers)
        install(project)
        prepare(project)
        print(f"{jobs} jobs that do nothing, one worker, {CONCURRENCY} at a time")
        bare = (
            *("-m", "taskiq", "worker", "bare:broker", "--workers", "1"),
            *("--max-async-tasks", CONCURRENCY, "--log-level", "WARNING"),
        )
        for label, results in (("bare Taskiq", ""), ("bare Taskiq, with results", "yes")):
            measure(label, redis, project, jobs, SUBMIT_BARE, *bare, QUEUE="bare", RESULTS=results)
        service = ("-m", "app.jobs.worker")
        measure("the service", redis, project, jobs, SUBMIT, *service, QUEUE="app:jobs:queue")


if __name__ == "__main__":
    main()

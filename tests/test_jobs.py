"""No job is lost: workers, Redis and the service are killed while jobs run, and come back."""

import json
import os
import re
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx2
import pytest

from tests.redis_servers import RedisServer, firewall, redis_server
from tests.rendering import write
from tests.services import PRODUCTION, Service, booted, install

pytestmark = pytest.mark.slow

CLIENT = httpx2.Client(timeout=20)

PARCELS = '''"""A task of the owner's, as docs/jobs.md tells to write it."""

import asyncio
import os
import signal
from pathlib import Path
from typing import Literal

from app.jobs.schemas import JobRequest


class ParcelRequest(JobRequest):
    """What to send, and what happens on the way."""

    task: Literal["parcel"]
    number: int
    seconds: float = 0
    fate: Literal["arrive", "break", "explode"] = "arrive"


async def send_parcel(request: ParcelRequest) -> int:
    """Take some time, and leave a trace."""
    if request.fate == "break":
        raise RuntimeError("broken")
    if request.fate == "explode":
        os.kill(os.getpid(), signal.SIGKILL)
    await asyncio.sleep(request.seconds)
    write(f"{request.number}\\n")
    return request.number


async def tick() -> None:
    """Leave a trace each minute."""
    write("tick\\n")


def write(line: str) -> None:
    with Path(os.environ["TRACES"]).open("a", encoding="utf-8") as traces:
        traces.write(line)
'''

ANSWERS = {"background_tasks": True, "database": "none", "jwt_auth": False}
FAST = {
    "JOB_CONCURRENCY": "5",
    "JOB_TIME_LIMIT": "2",
    "JOB_IDLE_TIMEOUT": "3",
    "JOB_MAX_ATTEMPTS": "3",
    "JOB_RETRY_DELAY": "0.1",
    "JOB_RETRY_DELAY_LIMIT": "0.5",
    "SHUTDOWN_TIMEOUT": "4",
}


def add_own_tasks(project: Path) -> None:
    """Add tasks at the places that tasks.py marks for them."""
    (project / "app" / "parcels.py").write_text(PARCELS, "utf-8")
    tasks = project / "app" / "jobs" / "tasks.py"
    text = tasks.read_text("utf-8")
    text = re.sub(r"( +# your own below, .*\n)", r"\1    | ParcelRequest\n", text)
    text = text.replace(
        "    # your own below\n",
        "    # your own below\n"
        '    broker.register_task(send_parcel, "parcel")\n'
        '    broker.register_task(tick, "tick", schedule=[{"cron": "* * * * *"}])\n',
    )
    text = text.replace(
        "write_report\n",
        "write_report\nfrom app.parcels import ParcelRequest, send_parcel, tick\n",
        1,
    )
    tasks.write_text(text, "utf-8")


@pytest.fixture(scope="module")
def project(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    project = write(template, tmp_path_factory.mktemp("jobs"), ANSWERS)
    install(project)
    add_own_tasks(project)
    return project


class Post:
    """A service, its Redis and its workers, each of which may be killed."""

    service: Service

    def __init__(self, project: Path, redis: RedisServer, folder: Path, stack: ExitStack) -> None:
        """Run nothing yet."""
        self.project = project
        self.redis = redis
        self.folder = folder
        self.stack = stack
        self.traces = folder / "traces"
        self.traces.touch()
        self.settings = {
            **FAST,
            "REDIS_URL": redis.url,
            "REDIS_NAMESPACE": f"post-{uuid4().hex}",
            "TRACES": str(self.traces),
        }

    def open(self, **settings: str) -> Service:
        """Start the service."""
        return self.stack.enter_context(booted(self.project, **{**self.settings, **settings}))

    def start(
        self, name: str = "worker", *, project: Path | None = None, **settings: str
    ) -> subprocess.Popen[bytes]:
        """Start a worker or a scheduler, which will run in a moment."""
        with (self.folder / f"{name}-{uuid4().hex}.log").open("wb") as output:
            process = subprocess.Popen(
                [self.project / ".venv" / "bin" / "python", "-m", f"app.jobs.{name}"],
                cwd=project or self.project,
                env={**os.environ, **PRODUCTION, **self.settings, **settings},
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        self.stack.callback(end, process)
        return process

    @contextmanager
    def worker(self, **options: Any) -> Iterator[None]:
        """Run a worker, and stop it in order."""
        worker = self.start(**options)
        yield
        worker.terminate()
        assert worker.wait(timeout=20) == 0

    def counts(self) -> Counter[str]:
        """Count the traces of the tasks."""
        return Counter(self.traces.read_text("utf-8").split())

    def has_done_more_than(self, number: int) -> bool:
        """Tell whether more tasks than this have left traces."""
        return len(self.counts()) > number

    def lines(self, event: str = "") -> list[dict[str, Any]]:
        """Read what workers and schedulers have logged."""
        texts = [log.read_text("utf-8") for log in self.folder.glob("*.log")]
        # the last line may not be whole yet
        lines = [json.loads(line) for text in texts for line in text.split("\n")[:-1]]
        return [line for line in lines if line["event"] == (event or line["event"])]


def end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()


@contextmanager
def new_post(project: Path, folder: Path) -> Iterator[Post]:
    with ExitStack() as stack:
        redis = stack.enter_context(redis_server(folder / "redis"))
        yield Post(project, redis, folder, stack)


@pytest.fixture
def post(project: Path, tmp_path: Path) -> Iterator[Post]:
    with new_post(project, tmp_path) as post:
        yield post


@pytest.fixture(scope="module")
def open_post(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Post]:
    """A post for tests that neither stop the service nor leave anything running."""
    with new_post(project, tmp_path_factory.mktemp("post")) as post:
        post.service = post.open(WORKERS="2")
        yield post


def wait_until(is_so: Callable[[], object], about: object = "", seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline, about
        time.sleep(0.05)


def submit(service: Service, number: int, key: str = "", **details: Any) -> httpx2.Response:
    """Submit a parcel."""
    return CLIENT.post(
        f"{service.url}/api/v1/jobs",
        json={"task": "parcel", "number": number, **details},
        headers={"Idempotency-Key": key} if key else {},
    )


def place_of(service: Service, response: httpx2.Response) -> str:
    assert response.status_code == 202, response.text
    return f"{service.url}{response.headers['Location']}"


def read(place: str) -> dict[str, Any]:
    response = CLIENT.get(place)
    assert response.status_code == 200, response.text
    job: dict[str, Any] = response.json()
    return job


def wait_for(place: str, *states: str, seconds: float = 30) -> dict[str, Any]:
    """Wait until a job is in one of the states."""
    wait_until(lambda: read(place)["state"] in states, place, seconds)
    return read(place)


def test_workers_that_are_killed_lose_no_job(post: Post) -> None:
    service = post.open()
    workers = [post.start(), post.start()]
    places = [place_of(service, submit(service, number, seconds=0.3)) for number in range(200)]
    for worker, number in zip(workers, (20, 60), strict=True):
        wait_until(partial(post.has_done_more_than, number))
        worker.kill()
        post.start()
    jobs = [wait_for(place, "succeeded", "failed", seconds=60) for place in places]
    assert [job["result"] for job in jobs] == list(range(200))
    traces = post.counts()
    assert set(traces) == {str(number) for number in range(200)}
    # the kills have hit jobs that were running, at most five in each worker
    assert 1 <= sum(job["attempts"] > 1 for job in jobs) <= 10
    assert sum(traces.values()) <= 210
    assert post.redis.command("XLEN", f"{post.settings['REDIS_NAMESPACE']}:jobs:queue") == "0"


def test_redis_that_is_killed_loses_no_job_that_was_accepted(post: Post) -> None:
    service = post.open()
    workers = [post.start(), post.start()]
    accepted: dict[int, str] = {}
    refused = 0
    for number in range(150):
        if number == 50:
            post.redis.stop(signal.SIGKILL)
        if number == 100:
            post.redis.start()
        response = submit(service, number, key=f"parcel-{number}", seconds=0.05)
        if response.status_code == 202:
            accepted[number] = place_of(service, response)
        else:
            refused += 1
            assert response.status_code == 503
            assert response.headers["Content-Type"] == "application/problem+json"
            assert int(response.headers["Retry-After"]) > 0
    assert refused == 50
    for number, place in accepted.items():
        assert wait_for(place, "succeeded", "failed")["result"] == number
    # nothing runs that was refused, and both workers have reconnected by themselves
    assert set(post.counts()) == {str(number) for number in accepted}
    assert [worker.poll() for worker in workers] == [None, None]
    assert service.process.poll() is None


def test_connections_that_are_reset_lose_no_job(post: Post) -> None:
    with firewall(post.redis) as wall:
        post.settings["REDIS_URL"] = wall.url
        service = post.open()
        with post.worker():
            places = []
            for number in range(40):
                places.append(place_of(service, submit(service, number)))
                if number % 4 == 0:
                    wall.reset()
            for number, place in enumerate(places):
                assert wait_for(place, "succeeded", "failed")["result"] == number
        assert service.stop() == 0


def test_a_redis_that_hangs_is_not_waited_for(open_post: Post) -> None:
    place = place_of(open_post.service, submit(open_post.service, 1))
    open_post.redis.hang()
    started = time.monotonic()
    assert submit(open_post.service, 2).status_code == 503
    assert CLIENT.get(place).status_code == 503
    assert CLIENT.get(f"{open_post.service.url}/livez").status_code == 200
    assert time.monotonic() - started < 10
    open_post.redis.wake()
    wait_until(lambda: CLIENT.get(place).status_code == 200)


def test_a_worker_stops_though_redis_is_away(open_post: Post) -> None:
    with open_post.worker():
        places = [
            place_of(open_post.service, submit(open_post.service, number, seconds=0.5))
            for number in range(5, 9)
        ]
        wait_for(places[0], "running", "succeeded")
        open_post.redis.stop(signal.SIGKILL)
        time.sleep(1)
    open_post.redis.start()
    with open_post.worker():
        for place in places:
            wait_for(place, "succeeded")


def test_a_job_that_always_fails_ends_after_its_attempts(open_post: Post) -> None:
    with open_post.worker():
        place = place_of(open_post.service, submit(open_post.service, 10, fate="break"))
        job = wait_for(place, "failed")
    assert job["attempts"] == 3
    assert job["problem"]["status"] == 500
    assert "broken" not in str(job)
    lines = [line for line in open_post.lines() if line.get("job_id") == job["id"]]
    states = [line["status"] for line in lines if line["event"] == "job"]
    assert states == ["queued", "queued", "failed"]
    assert {line["request_id"] for line in lines} == {job["problem"]["request_id"]}


def test_a_job_that_kills_its_workers_ends_after_its_attempts(open_post: Post) -> None:
    place = place_of(open_post.service, submit(open_post.service, 20, fate="explode"))
    for _ in range(3):
        worker = open_post.start()
        assert worker.wait(timeout=30) == -signal.SIGKILL
    with open_post.worker():
        job = wait_for(place, "failed")
        other = place_of(open_post.service, submit(open_post.service, 21))
        assert wait_for(other, "succeeded")["result"] == 21
    assert job["attempts"] == 3
    assert job["problem"]["detail"] == "The job was begun 3 times and never ended."


def test_a_worker_that_stops_finishes_what_runs_and_hands_the_rest_over(open_post: Post) -> None:
    patient = {"JOB_TIME_LIMIT": "50", "JOB_IDLE_TIMEOUT": "60"}
    with open_post.worker(**patient):
        short = place_of(open_post.service, submit(open_post.service, 30, seconds=1))
        long = place_of(open_post.service, submit(open_post.service, 31, seconds=5))
        wait_for(short, "running")
        wait_for(long, "running")
    assert read(short)["state"] == "succeeded"
    assert read(long)["state"] == "queued"
    # another worker takes it at once, and the attempt that was cut off does not count
    with open_post.worker(**patient):
        wait_for(long, "running")
        assert wait_for(long, "succeeded")["attempts"] == 1
    assert (open_post.counts()["30"], open_post.counts()["31"]) == (1, 1)


def test_requests_with_one_key_at_the_same_time_are_one_job(open_post: Post) -> None:
    service = open_post.service
    with ThreadPoolExecutor(20) as pool:
        responses = list(pool.map(lambda _: submit(service, 40, key="once"), range(20)))
    [place] = {place_of(service, response) for response in responses}
    with open_post.worker():
        assert wait_for(place, "succeeded")["attempts"] == 1
    assert submit(service, 41, key="once").status_code == 422
    assert open_post.counts()["40"] == 1


def test_a_worker_of_an_older_release_leaves_new_tasks_alone(
    open_post: Post, template: Path, tmp_path: Path
) -> None:
    older = write(template, tmp_path, ANSWERS)
    with open_post.worker(project=older):
        place = place_of(open_post.service, submit(open_post.service, 50))
        wait_until(lambda: any("not found" in line["event"] for line in open_post.lines()))
    with open_post.worker():
        assert wait_for(place, "succeeded")["result"] == 50


def test_a_service_that_restarts_knows_its_jobs(post: Post) -> None:
    service = post.open()
    place = place_of(service, submit(service, 1))
    assert service.stop() == 0
    # the first worker ever does what was submitted before it came
    queue = f"{post.settings['REDIS_NAMESPACE']}:jobs:queue"
    assert post.redis.command("XGROUP", "DESTROY", queue, "workers") == "1"
    post.start()
    restarted = post.open()
    place = place.replace(service.url, restarted.url)
    assert wait_for(place, "succeeded")["result"] == 1


def test_two_schedulers_make_one_job_a_minute_and_outlive_redis(post: Post) -> None:
    first_minute = time.time() // 60
    post.start()
    schedulers = [post.start("scheduler"), post.start("scheduler")]
    wait_until(lambda: len(post.lines("process_started")) == 3)
    wait_until(lambda: post.counts()["tick"])
    post.redis.stop(signal.SIGKILL)
    time.sleep(1)
    post.redis.start()
    time.sleep(2)
    ticks = sum(line["task"] == "tick" for line in post.lines("job"))
    assert 1 <= ticks <= time.time() // 60 - first_minute + 1
    for scheduler in schedulers:
        assert scheduler.poll() is None
        scheduler.terminate()
        assert scheduler.wait(timeout=10) == 0


def test_without_redis_the_service_does_the_work_and_says_so(project: Path, tmp_path: Path) -> None:
    traces = tmp_path / "traces"
    settings = {"REDIS_URL": "", "TRACES": str(traces), "JOB_CONCURRENCY": "3"}
    with booted(project, **settings, SHUTDOWN_TIMEOUT="8") as service:
        place = place_of(service, submit(service, 1, seconds=0.1))
        assert wait_for(place, "succeeded")["result"] == 1
        for number, seconds in enumerate((2, 30, 30, 30), start=2):
            submit(service, number, seconds=seconds)
        assert service.stop() == 0
    log = [json.loads(line) for line in service.log.read_text("utf-8").splitlines()]
    assert "jobs_run_in_this_process" in {line["event"] for line in log}
    parcels = [line for line in log if line["event"] == "job" and line["task"] == "parcel"]
    # what can be finished in time is finished; nothing is begun that would be cut off
    states = [line["status"] for line in parcels]
    assert states == ["succeeded", "succeeded", "failed", "failed"]
    assert [line["count"] for line in log if line["event"] == "jobs_lost"] == [1]

"""Tasks of the tests' own, and a route that submits them."""

import asyncio
import time
from threading import Event
from typing import Annotated, Any

from fastapi import APIRouter
from fastapi.testclient import TestClient
from pydantic import JsonValue
from taskiq import Context, TaskiqDepends
from taskiq.abc.broker import AsyncBroker

from app.jobs import tasks
from app.jobs.router import Jobs
from app.jobs.schemas import IdempotencyKey, Job, JobOut, JobRequest
from app.problems import ProblemError

WORKSHOP = "/workshop"
RELEASED = Event()

router = APIRouter(prefix=WORKSHOP)


class Order(JobRequest):
    """What to do, and some value that matters to the task."""

    value: JsonValue = None


@router.post("", status_code=202, response_model=JobOut)
async def order(order: Order, jobs: Jobs, idempotency_key: IdempotencyKey = "") -> Job:
    return await jobs.submit(order, idempotency_key)


async def echo(order: Order) -> JsonValue:
    return order.value


async def fail_at_first(order: Order, context: Annotated[Context, TaskiqDepends()]) -> int:
    attempt: int = context.message.labels["attempt"]
    if attempt <= float(str(order.value)):
        raise RuntimeError("opensesame")
    return attempt


async def refuse(order: Order) -> None:
    raise ProblemError(409, "The parcel has left.")


async def sleep(order: Order) -> None:
    await asyncio.sleep(float(str(order.value)))


async def hold(order: Order) -> None:
    """Wait until the test sets the event."""
    await asyncio.to_thread(RELEASED.wait)


async def make_anything(order: Order) -> object:
    return object()


def add_tasks(broker: AsyncBroker) -> None:
    """Add them to those of the service."""
    tasks.add_tasks(broker)
    broker.register_task(echo, "echo")
    broker.register_task(fail_at_first, "fail_at_first")
    broker.register_task(refuse, "refuse")
    broker.register_task(sleep, "sleep")
    broker.register_task(hold, "hold")
    broker.register_task(make_anything, "make_anything")


def submit(client: TestClient, task: str, value: JsonValue = None) -> str:
    """Order something, and give its place."""
    response = client.post(WORKSHOP, json={"task": task, "value": value})
    assert response.status_code == 202
    return f"/api/v1/jobs/{response.json()['id']}"


def wait_for(client: TestClient, place: str, *states: str) -> dict[str, Any]:
    """Read a job until it is in one of the states, or done, within 10 seconds."""
    deadline = time.monotonic() + 10
    while True:
        job: dict[str, Any] = client.get(place).json()
        if job["state"] in (states or ("succeeded", "failed")):
            return job
        assert time.monotonic() < deadline, job
        time.sleep(0.01)


def run(client: TestClient, task: str, value: JsonValue = None) -> dict[str, Any]:
    """Order something, and give what has become of it."""
    return wait_for(client, submit(client, task, value))

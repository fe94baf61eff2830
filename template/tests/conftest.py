# {% if background_tasks %}
import asyncio
# {% endif %}
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from fastapi import APIRouter, FastAPI
from fastapi.testclient import TestClient
# {% if background_tasks %}
from taskiq import TaskiqScheduler
# {% endif %}

from app.main import create_app
from app.settings import Settings

pytest_plugins: list[str] = [
    # {% if database != 'none' %}
    "tests.database.databases",
    # {% endif %}
    # {% if jwt_auth %}
    "tests.auth.accounts",
    # {% endif %}
    # {% if rate_limiting %}
    "tests.limits.callers",
    # {% endif %}
    # {% if redis %}
    "tests.redis",
    # {% endif %}
    # {% if websockets %}
    "tests.rooms.people",
    # {% endif %}
    # {% if telemetry %}
    "tests.telemetry.collector",
    # {% endif %}
    # your own below
]


# {% if background_tasks %}
@pytest.fixture(autouse=True)
def no_periodic_jobs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Start no job by the clock: other tests would meet it in the minutes in which it is due."""

    async def wait(_scheduler: TaskiqScheduler) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr("app.jobs.running.run_scheduler_task", wait)


# {% endif %}
@pytest.fixture
def app() -> FastAPI:
    """The service, to which a test may add routes before it asks for the client."""
    return create_app(Settings(environment="test"))


@pytest.fixture
def client(app: FastAPI) -> Iterator[TestClient]:
    """A client of the running service."""
    with TestClient(app) as client:
        yield client


@pytest.fixture
def start() -> Iterator[Callable[..., TestClient]]:
    """Start a service with routers and settings of the test's own, and give its client."""
    with ExitStack() as stack:

        def start(*routers: APIRouter, environment: str = "test", **settings: Any) -> TestClient:
            app = create_app(Settings(environment=environment, **settings))
            for router in routers:
                app.include_router(router)
            return stack.enter_context(TestClient(app, base_url="http://localhost"))

        yield start

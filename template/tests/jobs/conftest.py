import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest
from fastapi.testclient import TestClient

from app.jobs.worker import work
from app.settings import Settings
# {% if jwt_auth %}
from tests.auth.accounts import bearer, open_account
# {% endif %}
from tests.jobs import workshop
from tests.redis import SERVER


@pytest.fixture(autouse=True)
def tasks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the service know the tasks of the workshop."""
    monkeypatch.setattr("app.jobs.running.add_tasks", workshop.add_tasks)


@pytest.fixture
def released() -> Iterator[threading.Event]:
    """The event that ends jobs of the task `hold`."""
    workshop.RELEASED.clear()
    yield workshop.RELEASED
    workshop.RELEASED.set()


@contextmanager
def worker(settings: Settings) -> Iterator[None]:
    """Run a worker in a thread."""
    loop = asyncio.new_event_loop()
    stop = asyncio.Event()
    thread = threading.Thread(target=loop.run_until_complete, args=[work(settings, stop)])
    thread.start()
    try:
        yield
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.close()


Shop = Callable[..., TestClient]


@pytest.fixture
def open_shop(start: Callable[..., TestClient]) -> Iterator[Shop]:
    """Start a service that does what is ordered, with a worker if there is Redis."""
    with ExitStack() as stack:

        def open_shop(**settings: Any) -> TestClient:
            fast = {"job_retry_delay": 0.01, **settings}
            client = start(workshop.router, **fast)
            # {% if jwt_auth %}
            client.headers.update(bearer(open_account(client)))
            # {% endif %}
            if SERVER:
                stack.enter_context(worker(Settings(environment="test", **fast)))
            return client

        yield open_shop


@pytest.fixture
def client(open_shop: Shop) -> TestClient:
    """A client that may submit jobs, which are done."""
    return open_shop()

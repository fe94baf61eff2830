import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import httpx2
import pytest
from fastapi import APIRouter, FastAPI, HTTPException, Request
from fastapi.testclient import TestClient
from sqlalchemy import func, select, text
from starlette.types import Message

from app.database.session import Session
from app.items.models import Item
from app.main import create_app
from app.problems import ProblemError
from app.settings import Settings
from tests.database.databases import execute

ERRORS = {
    "http": HTTPException(409),
    "problem": ProblemError(409, "No."),
    "unexpected": RuntimeError("No."),
}

router = APIRouter()


def ladder() -> Item:
    return Item(name="Ladder", description="", quantity=1)


@router.post("/ladders", status_code=201)
async def add_ladder(session: Session, error: str = "") -> str:
    session.add(ladder())
    await session.flush()
    if error:
        raise ERRORS[error]
    return "added"


@router.post("/ladders/unreadable")
async def add_unreadable_ladder(session: Session) -> int:
    session.add(ladder())
    await session.flush()
    return "not a number"  # type: ignore[return-value]


@router.post("/orphans", status_code=201)
async def add_orphan(session: Session) -> str:
    session.add(ladder())
    await session.execute(text("INSERT INTO nodes (id, parent) VALUES (1, 2)"))
    return "added"


@router.get("/slow")
async def read_slowly(request: Request, session: Session) -> str:
    await session.execute(select(1))
    request.app.state.has_read.set()
    await asyncio.sleep(60)
    return "done"


@pytest.fixture
def app() -> FastAPI:
    """The service with one connection, so that one that is lost is missed."""
    settings = Settings(
        environment="test",
        database_pool_size=1,
        database_max_overflow=0,
        database_pool_timeout=0.3,
    )
    app = create_app(settings)
    app.include_router(router)
    return app


@asynccontextmanager
async def running(app: FastAPI) -> AsyncIterator[httpx2.AsyncClient]:
    """Run the service in the loop of the test, which may then cancel requests."""
    transport = httpx2.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx2.AsyncClient(transport=transport, base_url="http://localhost") as client,
    ):
        yield client


@pytest.fixture
def deferred_rule() -> Iterator[None]:
    """A table whose rule is checked at commit."""
    execute(
        text(
            "CREATE TABLE nodes (id INTEGER PRIMARY KEY,"
            " parent INTEGER REFERENCES nodes (id) DEFERRABLE INITIALLY DEFERRED)"
        )
    )
    yield
    execute(text("DROP TABLE nodes"))


def count_items() -> int:
    [[count]] = execute(select(func.count()).select_from(Item))
    return int(count)


def test_what_is_answered_is_stored(client: TestClient) -> None:
    assert client.post("/ladders").status_code == 201
    assert count_items() == 1


def test_it_is_stored_before_it_is_answered(app: FastAPI) -> None:
    seen: list[int] = []

    async def call() -> None:
        scope = dict(
            type="http",
            http_version="1.1",
            scheme="http",
            method="POST",
            path="/ladders",
            root_path="",
            query_string=b"",
            headers=[(b"host", b"localhost")],
        )

        async def receive() -> Message:
            return {"type": "http.request", "body": b""}

        async def send(message: Message) -> None:
            if message["type"] == "http.response.start":
                seen.append(await asyncio.to_thread(count_items))

        async with app.router.lifespan_context(app):
            await app(scope, receive, send)

    asyncio.run(call())
    assert seen == [1]


@pytest.mark.parametrize("error", ERRORS)
def test_an_error_after_a_write_leaves_nothing(client: TestClient, error: str) -> None:
    response = client.post("/ladders", params={"error": error})
    assert response.status_code in {409, 500}
    assert count_items() == 0


def test_an_answer_that_cannot_be_written_leaves_nothing(client: TestClient) -> None:
    assert client.post("/ladders/unreadable").status_code == 500
    assert count_items() == 0


def test_a_commit_that_fails_is_no_success(client: TestClient, deferred_rule: None) -> None:
    response = client.post("/orphans")
    assert response.status_code == 409
    assert response.headers["Content-Type"] == "application/problem+json"
    assert count_items() == 0


async def read(client: httpx2.AsyncClient, app: FastAPI) -> asyncio.Task[httpx2.Response]:
    """Send a request that reads, and then holds its connection for long."""
    app.state.has_read = asyncio.Event()
    request = asyncio.create_task(client.get("/slow"))
    await asyncio.wait_for(app.state.has_read.wait(), 10)
    return request


def test_a_cancelled_request_gives_its_connection_back(app: FastAPI) -> None:
    async def cancel_requests() -> None:
        async with running(app) as client:
            for _ in range(3):
                request = await read(client, app)
                assert app.state.engine.pool.checkedout() == 1
                request.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await request
                assert app.state.engine.pool.checkedout() == 0
            response = await client.post("/ladders")
            assert response.status_code == 201

    asyncio.run(cancel_requests())


def test_a_pool_without_connections_asks_to_come_back(app: FastAPI) -> None:
    async def exhaust_pool() -> None:
        async with running(app) as client:
            request = await read(client, app)
            response = await client.post("/ladders")
            assert response.status_code == 503
            assert response.headers["Content-Type"] == "application/problem+json"
            assert response.headers["Retry-After"] == "5"
            request.cancel()
            await asyncio.wait([request])
            response = await client.post("/ladders")
            assert response.status_code == 201

    asyncio.run(exhaust_pool())

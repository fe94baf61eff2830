from collections.abc import Callable

import pytest
from fastapi import APIRouter
from fastapi.testclient import TestClient
from sqlalchemy import text
from sqlalchemy.orm.exc import StaleDataError

from app.database.session import Session
from app.items.models import Item

router = APIRouter()


@router.post("/twins")
async def add_twins(session: Session) -> None:
    key = Item(name="Ladder", description="", quantity=1)
    session.add(key)
    await session.flush()
    await session.execute(text("INSERT INTO items SELECT * FROM items"))


@router.get("/mistake")
async def make_mistake(session: Session) -> None:
    await session.execute(text("SELECT 'hunter2' FROM nowhere"))


@router.delete("/stale")
async def delete_stale() -> None:
    raise StaleDataError("DELETE statement on table 'items' expected to delete 1 row(s)")


@pytest.fixture
def client(start: Callable[..., TestClient]) -> TestClient:
    return start(router)


@pytest.mark.parametrize(("method", "path"), [("POST", "/twins"), ("DELETE", "/stale")])
def test_a_conflict_is_told_without_the_words_of_the_database(
    client: TestClient, method: str, path: str
) -> None:
    response = client.request(method, path)
    assert response.status_code == 409
    assert response.headers["Content-Type"] == "application/problem+json"
    assert response.json()["detail"] == "This conflicts with what is stored already."


def test_a_mistake_in_the_service_is_no_problem_of_the_database(
    start: Callable[..., TestClient], capsys: pytest.CaptureFixture[str]
) -> None:
    response = start(router).get("/mistake")
    assert response.status_code == 500
    assert "hunter2" not in response.text
    assert "nowhere" in capsys.readouterr().out


def test_a_database_that_is_away_asks_to_come_back(start: Callable[..., TestClient]) -> None:
    client = start(router, database_url="sqlite:////nowhere/at/all.db")
    response = client.get("/mistake")
    assert response.status_code == 503
    assert response.headers["Content-Type"] == "application/problem+json"
    assert response.headers["Retry-After"] == "5"
    assert "nowhere" not in response.text
    ready = client.get("/readyz")
    assert ready.status_code == 503
    assert ready.json()["errors"] == [{"detail": "failed", "pointer": "#/checks/database"}]
    assert client.get("/livez").status_code == 200

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import pytest
from fastapi import APIRouter
from fastapi.testclient import TestClient
from sqlalchemy import (
    BigInteger,
    Column,
    Enum,
    Integer,
    MetaData,
    SmallInteger,
    String,
    Table,
    insert,
    select,
    text,
)
from sqlalchemy.orm.exc import StaleDataError
from sqlalchemy.schema import CreateTable, DropTable

from app.database.base import UtcDateTime
from app.database.session import Session
from app.items.models import Item
from tests.database.databases import execute

MEASUREMENTS = Table(
    "measurements",
    MetaData(),
    Column("small", SmallInteger),
    Column("number", Integer),
    Column("large", BigInteger),
    Column("name", String(20)),
    Column("unit", Enum("m", "kg", name="unit", native_enum=False)),
    Column("at", UtcDateTime),
)
UNFIT: list[tuple[str, object]] = [
    ("small", 2**15),
    ("number", 2**31),
    ("number", -(2**31) - 1),
    ("number", 10**30),
    ("large", 2**63),
    ("name", "x" * 21),
    ("name", "hunter\0two"),
    ("name", "hunter\ud800"),
    ("unit", "inch"),
    ("at", datetime(2026, 1, 1)),  # noqa: DTZ001  that is what is wrong with it
]

router = APIRouter()


@router.post("/measurements/{case}")
async def add_measurement(case: int, session: Session) -> None:
    name, value = UNFIT[case]
    await session.execute(insert(MEASUREMENTS).values({name: value}))


@router.get("/measurements")
async def find_measurements(number: int, session: Session) -> list[Any]:
    found = await session.execute(select(MEASUREMENTS).where(MEASUREMENTS.c.number == number))
    return list(found.all())


@router.post("/stopwatch")
async def run_out_of_time(session: Session) -> None:
    await session.execute(text("SELECT 1"))
    raise TimeoutError("the mail server")


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


@pytest.fixture
def measurements() -> Iterator[None]:
    """A table of the owner's."""
    execute(CreateTable(MEASUREMENTS))
    yield
    execute(DropTable(MEASUREMENTS))


@pytest.mark.usefixtures("measurements")
@pytest.mark.parametrize("case", range(len(UNFIT)))
def test_a_value_that_does_not_fit_its_column_is_the_callers(
    start: Callable[..., TestClient], capsys: pytest.CaptureFixture[str], case: int
) -> None:
    response = start(router).post(f"/measurements/{case}")
    assert response.status_code == 422
    assert response.headers["Content-Type"] == "application/problem+json"
    detail = "A value is too large, too long, or of a form that cannot be stored."
    assert response.json()["detail"] == detail
    log = capsys.readouterr().out
    assert "value_refused_by_database" in log
    assert "hunter" not in log


@pytest.mark.usefixtures("measurements")
def test_a_value_that_no_row_can_have_is_the_callers(client: TestClient) -> None:
    assert client.get("/measurements", params={"number": 2**31 - 1}).json() == []
    assert client.get("/measurements", params={"number": 2**31}).status_code == 422
    assert client.get("/measurements", params={"number": 10**30}).status_code == 422


def test_a_time_limit_of_the_service_is_no_problem_of_the_database(
    start: Callable[..., TestClient], capsys: pytest.CaptureFixture[str]
) -> None:
    assert start(router).post("/stopwatch").status_code == 500
    log = capsys.readouterr().out
    assert "Traceback" in log
    assert "the mail server" in log
    assert "database_unavailable" not in log


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

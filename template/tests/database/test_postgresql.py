import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import pytest
from fastapi import APIRouter
from fastapi.testclient import TestClient
from sqlalchemy import text

from app.database.postgresql import without_foreign_parameters
from app.database.session import Session
from tests.database.databases import PROJECT_ROOT, alembic, execute
from tests.database.server import SERVER, needs_postgresql

router = APIRouter()


@router.get("/sleep")
async def sleep(session: Session, seconds: float = 0) -> str:
    await session.execute(text(f"SELECT pg_sleep({seconds:f})"))
    return "slept"


@router.get("/server-process")
async def tell_server_process(session: Session) -> int:
    return await session.scalar(text("SELECT pg_backend_pid()")) or 0


@router.get("/write")
async def write(session: Session) -> None:
    """Write as if the server were a standby."""
    await session.execute(text("SET TRANSACTION READ ONLY"))
    await session.execute(text("CREATE TABLE sleepers (id integer)"))


@pytest.fixture
def silent_server() -> Iterator[int]:
    """The port of a server that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.mark.parametrize(
    ("given", "left"),
    [
        ("postgresql://db/shop", "postgresql://db/shop"),
        ("postgresql://db/shop?sslmode=require", "postgresql://db/shop?sslmode=require"),
        (
            "postgresql://a:p%40w@db/shop?sslmode=require&channel_binding=require&pgbouncer=true",
            "postgresql://a:p%40w@db/shop?sslmode=require",
        ),
    ],
)
def test_parameters_for_other_drivers_are_left_out(given: str, left: str) -> None:
    assert without_foreign_parameters(given) == left


def test_a_file_in_the_place_of_postgresql_is_logged(
    monkeypatch: pytest.MonkeyPatch,
    start: Callable[..., TestClient],
    capsys: pytest.CaptureFixture[str],
) -> None:
    start()
    assert "database_is_a_file" not in capsys.readouterr().out
    monkeypatch.delenv("DATABASE_URL")
    start()
    assert "database_is_a_file" in capsys.readouterr().out


def test_a_server_that_is_away_asks_to_come_back(start: Callable[..., TestClient]) -> None:
    client = start(router, database_url="postgresql://ann:hunter2@127.0.0.1:1/shop")
    response = client.get("/sleep")
    assert response.status_code == 503
    assert response.headers["Retry-After"] == "5"


def test_a_server_that_says_nothing_is_not_waited_for(
    start: Callable[..., TestClient], silent_server: int
) -> None:
    url = f"postgresql://ann:hunter2@127.0.0.1:{silent_server}/shop?sslmode=disable"
    client = start(router, database_url=url, database_connect_timeout=0.2)
    assert client.get("/sleep").status_code == 503


def test_the_password_is_not_logged(
    start: Callable[..., TestClient], capsys: pytest.CaptureFixture[str]
) -> None:
    client = start(router, database_url="postgresql://ann:hunter2@127.0.0.1:1/shop")
    client.get("/sleep")
    client.get("/readyz")
    assert "hunter2" not in capsys.readouterr().out


def test_migrations_can_be_read_before_they_are_run(capsys: pytest.CaptureFixture[str]) -> None:
    alembic("upgrade", "heads", sql=True)
    assert "id UUID NOT NULL" in capsys.readouterr().out


@needs_postgresql
def test_a_statement_that_takes_too_long_is_stopped(start: Callable[..., TestClient]) -> None:
    client = start(router, database_statement_timeout=0.3)
    response = client.get("/sleep?seconds=10")
    assert response.status_code == 503
    assert response.headers["Retry-After"] == "5"
    assert client.get("/sleep").status_code == 200


@needs_postgresql
def test_lost_connections_are_replaced(start: Callable[..., TestClient]) -> None:
    client = start(router)
    assert client.get("/sleep").status_code == 200
    execute(
        text(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    )
    assert client.get("/sleep").status_code == 200


@needs_postgresql
def test_a_server_that_ends_a_connection_at_once_asks_to_come_back(
    start: Callable[..., TestClient], monkeypatch: pytest.MonkeyPatch
) -> None:
    connect = asyncpg.connect

    async def connect_and_lose(*arguments: Any, **options: Any) -> asyncpg.Connection:
        connection = await connect(*arguments, **options)
        connection.terminate()
        return connection

    client = start(router)
    with monkeypatch.context() as patch:
        patch.setattr(asyncpg, "connect", connect_and_lose)
        response = client.get("/sleep")
    assert response.status_code == 503
    assert response.headers["Retry-After"] == "5"
    assert client.get("/sleep").status_code == 200


@needs_postgresql
def test_connections_to_a_server_that_only_reads_are_dropped(
    start: Callable[..., TestClient],
) -> None:
    client = start(router)
    before = client.get("/server-process").json()
    assert client.get("/server-process").json() == before
    response = client.get("/write")
    assert response.status_code == 503
    assert response.headers["Retry-After"] == "5"
    assert client.get("/server-process").json() != before


@needs_postgresql
def test_a_primary_in_the_place_of_a_standby_is_not_used(start: Callable[..., TestClient]) -> None:
    url = urlsplit(SERVER)._replace(query="target_session_attrs=standby").geturl()
    client = start(router, database_url=url)
    assert client.get("/sleep").status_code == 503


@needs_postgresql
@pytest.mark.usefixtures("empty_database")
def test_replicas_may_migrate_at_the_same_time() -> None:
    command = [sys.executable, "-m", "alembic", "upgrade", "heads"]
    replicas = [subprocess.Popen(command, cwd=PROJECT_ROOT) for _ in range(3)]
    assert [replica.wait(timeout=60) for replica in replicas] == [0, 0, 0]

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from app.database.engine import create_engine
from app.settings import Settings

Work = Callable[[AsyncEngine], Awaitable[Any]]


@pytest.fixture
def run(tmp_path: Path) -> Callable[[Work], Any]:
    """Work with a file that has a counter, at 0."""

    async def run(work: Work) -> Any:
        settings = Settings(
            database_url=f"sqlite:///{tmp_path}/counter.db", database_connect_timeout=2
        )
        engine = create_engine(settings)
        async with engine.begin() as connection:
            await connection.execute(text("CREATE TABLE counters (value INTEGER NOT NULL)"))
            await connection.execute(text("INSERT INTO counters VALUES (0)"))
        try:
            return await work(engine)
        finally:
            await engine.dispose()

    return lambda work: asyncio.run(run(work))


async def read(connection: AsyncConnection) -> int:
    value: int = await connection.scalar(text("SELECT value FROM counters"))
    return value


async def write(connection: AsyncConnection, value: int) -> None:
    await connection.execute(text("UPDATE counters SET value = :value"), {"value": value})


def test_a_file_is_set_up_for_a_service(run: Callable[[Work], Any]) -> None:
    async def read_pragmas(engine: AsyncEngine) -> list[Any]:
        async with engine.connect() as connection:
            names = ["journal_mode", "foreign_keys", "busy_timeout"]
            return [await connection.scalar(text(f"PRAGMA {name}")) for name in names]

    assert run(read_pragmas) == ["wal", 1, 2000]


def test_changes_at_the_same_time_wait_for_each_other(run: Callable[[Work], Any]) -> None:
    async def increment(engine: AsyncEngine) -> None:
        async with engine.begin() as connection:
            value = await read(connection)
            await asyncio.sleep(0.02)
            await write(connection, value + 1)

    async def increment_often(engine: AsyncEngine) -> int:
        await asyncio.gather(*(increment(engine) for _ in range(8)))
        async with engine.connect() as connection:
            return await read(connection)

    assert run(increment_often) == 8


def test_readers_do_not_wait_for_a_writer(run: Callable[[Work], Any]) -> None:
    async def read_while_writing(engine: AsyncEngine) -> int:
        async with engine.begin() as writer:
            await write(writer, 1)
            async with engine.execution_options(read_only=True).connect() as reader:
                return await read(reader)

    assert run(read_while_writing) == 0


def test_a_writer_waits_no_longer_than_it_should(run: Callable[[Work], Any]) -> None:
    async def write_while_writing(engine: AsyncEngine) -> None:
        async with engine.begin(), engine.begin():
            pass

    with pytest.raises(OperationalError, match="locked"):
        run(write_while_writing)


def test_a_savepoint_is_part_of_its_transaction(run: Callable[[Work], Any]) -> None:
    async def nest(engine: AsyncEngine) -> int:
        async with engine.connect() as connection:
            async with connection.begin_nested():
                await write(connection, 1)
            await connection.rollback()
            return await read(connection)

    assert run(nest) == 0


def test_a_changed_table_is_part_of_its_transaction(run: Callable[[Work], Any]) -> None:
    async def alter(engine: AsyncEngine) -> list[Any]:
        async with engine.connect() as connection:
            await connection.execute(text("ALTER TABLE counters ADD COLUMN step INTEGER"))
            await connection.rollback()
            result = await connection.execute(text("SELECT * FROM counters"))
            return list(result.keys())

    assert run(alter) == ["value"]


def test_foreign_keys_are_kept(run: Callable[[Work], Any]) -> None:
    async def orphan(engine: AsyncEngine) -> None:
        async with engine.begin() as connection:
            await connection.execute(text("CREATE TABLE parents (id INTEGER PRIMARY KEY)"))
            await connection.execute(
                text("CREATE TABLE children (parent INTEGER REFERENCES parents (id))")
            )
            await connection.execute(text("INSERT INTO children VALUES (1)"))

    with pytest.raises(IntegrityError):
        run(orphan)

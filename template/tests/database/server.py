"""The PostgreSQL server of the tests, if there is one, and databases on it."""

import asyncio
import os
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import asyncpg
import pytest

from tests.postgresql_server import MISSING, find_postgresql

SERVER = os.environ["TEST_DATABASE_URL"] = find_postgresql()
needs_postgresql = pytest.mark.skipif(not SERVER, reason=MISSING)


@contextmanager
def database_on_server(name: str) -> Iterator[str]:
    """Make a database, give its address, and drop it."""
    asyncio.run(ask_server(f"CREATE DATABASE {name}"))
    # What a crash of the server would lose, nobody misses.
    asyncio.run(ask_server(f"ALTER DATABASE {name} SET synchronous_commit = off"))
    try:
        yield urlsplit(SERVER)._replace(path=f"/{name}").geturl()
    finally:
        asyncio.run(ask_server(f"DROP DATABASE {name} WITH (FORCE)"))


async def ask_server(statement: str) -> None:
    connection = await asyncpg.connect(SERVER)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()

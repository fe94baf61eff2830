"""SQLite, in a file, with transactions that hold what they promise."""

from typing import Any

from sqlalchemy import Connection, event
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry, PoolResetState

from app.database.settings import DatabaseSettings


def create_engine(url: str, settings: DatabaseSettings, options: dict[str, Any]) -> AsyncEngine:
    """Describe how to open the file; a busy one is waited for."""
    engine = create_async_engine(
        url, connect_args={"timeout": settings.database_connect_timeout}, **options
    )
    event.listen(engine.sync_engine, "connect", set_up)
    event.listen(engine.sync_engine, "begin", begin)
    event.listen(engine.sync_engine, "reset", reset)
    return engine


def set_up(connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
    """Let readers read while one writes, and keep foreign keys whole."""
    # The driver would begin a transaction only at the first write: see `begin`.
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode = WAL")
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.close()


def begin(connection: Connection) -> None:
    """Take the lock for writing at once, unless the transaction is known to read.

    A transaction that has read and then writes would fail, without any waiting, if another has
    written in between.
    """
    reads = connection.get_execution_options().get("read_only", False)
    connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")


def reset(connection: DBAPIConnection, _entry: ConnectionPoolEntry, state: PoolResetState) -> None:
    """End what a COMMIT that failed has left open; SQLAlchemy takes it for ended."""
    if state.asyncio_safe:
        connection.rollback()

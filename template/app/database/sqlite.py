"""SQLite, in a file, with transactions that hold what they promise."""

from typing import Any

from sqlalchemy import BigInteger, Connection, Enum, Integer, SmallInteger, String, event
from sqlalchemy.engine.default import DefaultExecutionContext
from sqlalchemy.engine.interfaces import DBAPIConnection, DBAPICursor, ExceptionContext
from sqlalchemy.exc import DataError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry, PoolResetState
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.types import TypeDecorator, TypeEngine

from app.database.settings import DatabaseSettings

INTEGER_BITS = {SmallInteger: 16, BigInteger: 64, Integer: 32}


def create_engine(url: str, settings: DatabaseSettings, options: dict[str, Any]) -> AsyncEngine:
    """Describe how to open the file; a busy one is waited for."""
    engine = create_async_engine(
        url, connect_args={"timeout": settings.database_connect_timeout}, **options
    )
    event.listen(engine.sync_engine, "connect", set_up)
    event.listen(engine.sync_engine, "begin", begin)
    event.listen(engine.sync_engine, "reset", reset)
    event.listen(engine.sync_engine, "before_cursor_execute", refuse_unfit)
    event.listen(engine.sync_engine, "handle_error", name_unfit)
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


def refuse_unfit(
    _connection: Connection,
    _cursor: DBAPICursor,
    _statement: str,
    _parameters: object,
    context: DefaultExecutionContext,
    _executemany: bool,
) -> None:
    """Refuse what other databases would: SQLite stores any value in any column.

    Raises:
        DataError: a value does not fit the type of its column.
    """
    if not isinstance(context.compiled, SQLCompiler):
        return
    for bind, name in context.compiled.bind_names.items():
        written = context.isinsert or context.isupdate
        for row in context.compiled_parameters:
            if not fits(row.get(name), bind.type, written=written):
                raise DataError(None, None, ValueError("a value does not fit its column"))


def fits(value: object, column: TypeEngine[Any], *, written: bool) -> bool:
    """Whether a column of the type can hold the value; only what is written has a length."""
    if isinstance(column, TypeDecorator):
        column = column.impl_instance
    if isinstance(column, Enum):
        return not written or type(value) is not str or value in column.enums
    if isinstance(value, str):
        limit = column.length if isinstance(column, String) and written else None
        return "\0" not in value and (limit is None or len(value) <= limit)
    if isinstance(value, int) and isinstance(column, Integer):
        bits = next(bits for kind, bits in INTEGER_BITS.items() if isinstance(column, kind))
        return -(1 << bits - 1) <= value < 1 << bits - 1
    return True


def name_unfit(context: ExceptionContext) -> Exception | None:
    """Name a value that the driver itself cannot pass on, whatever the type of its column."""
    error = context.original_exception
    return DataError(None, None, error) if isinstance(error, OverflowError | UnicodeError) else None

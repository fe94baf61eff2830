"""What a command, such as `alembic upgrade heads`, prints when the database cannot be used."""

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy.exc import DBAPIError

from app.database.problems import code_of, is_unavailable

# {% if database == 'sqlite' %}
FORBIDDEN = {"SQLITE_READONLY"}
# {% else %}
INSUFFICIENT_PRIVILEGE = "42501"
FORBIDDEN = {INSUFFICIENT_PRIVILEGE, "SQLITE_READONLY"}
# {% endif %}


@asynccontextmanager
async def explain_database_errors() -> AsyncIterator[None]:
    """End the command with one sentence, unless one of its statements is wrong.

    Raises:
        SystemExit: the database cannot be reached, or not be written.
    """
    try:
        yield
    except DBAPIError as error:
        is_connecting = error.statement is None
        if is_connecting or is_unavailable(error) or code_of(error) in FORBIDDEN:
            await asyncio.to_thread(join_threads)
            message = f"The database cannot be used: {reason_of(error)}. Check DATABASE_URL."
            raise SystemExit(message) from None
        raise


def join_threads() -> None:
    """Wait for threads of aiosqlite, which still need the event loop after a failed connection."""
    for thread in threading.enumerate():
        if "_connection_worker_thread" in thread.name:
            thread.join(timeout=1)


def reason_of(error: DBAPIError) -> str:
    """Return what the driver or the system says; neither repeats the password."""
    cause: BaseException = error.orig or error
    while cause.__cause__:
        cause = cause.__cause__
    return str(cause).partition("\n")[0].rstrip(".") or type(cause).__name__

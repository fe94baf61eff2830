"""PostgreSQL, through asyncpg."""

from functools import partial
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import asyncpg
import structlog
from sqlalchemy import event
from sqlalchemy.engine.interfaces import DBAPIConnection, ExceptionContext
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry

from app.database.settings import DatabaseSettings

# Parameters that platforms put into addresses for libpq or for poolers. asyncpg would ask the
# server to set them, and the server would refuse.
NOT_FOR_ASYNCPG = frozenset(
    {
        "channel_binding",
        "connect_timeout",
        "connection_limit",
        "fallback_application_name",
        "gssencmode",
        "keepalives",
        "keepalives_count",
        "keepalives_idle",
        "keepalives_interval",
        "pgbouncer",
        "pool_timeout",
        "sslcompression",
        "sslsni",
        "tcp_user_timeout",
    }
)

READ_ONLY = "25006"

logger = structlog.stdlib.get_logger(__name__)


def warn_if_unset(settings: DatabaseSettings) -> None:
    """Tell a developer who expects PostgreSQL that this is not it."""
    if "database_url" not in settings.model_fields_set:
        logger.warning("database_is_a_file", hint="DATABASE_URL is unset, so this is SQLite")


def create_engine(url: str, settings: DatabaseSettings, options: dict[str, Any]) -> AsyncEngine:
    """Describe how to connect; asyncpg reads the address, for it knows `sslmode` and its like."""
    engine = create_async_engine(
        "postgresql+asyncpg://", async_creator=partial(connect, url, settings), **options
    )
    event.listen(engine.sync_engine, "connect", refuse_closed, insert=True)
    event.listen(engine.sync_engine, "handle_error", leave_standby)
    return engine


async def connect(url: str, settings: DatabaseSettings) -> asyncpg.Connection:
    """Connect, with a limit on the time of each statement.

    The server keeps the limit; should the server itself be out of reach, asyncpg does, later.

    Raises:
        asyncpg.PostgresConnectionError: nobody answers at the address, or not the server that
            `target_session_attrs` asks for.
    """
    limit = settings.database_statement_timeout
    try:
        return await asyncpg.connect(
            without_foreign_parameters(url),
            timeout=settings.database_connect_timeout,
            command_timeout=limit + settings.database_connect_timeout if limit else None,
            server_settings={"statement_timeout": str(int(limit * 1000))},
        )
    except (OSError, asyncpg.TargetServerAttributeNotMatched) as error:
        raise asyncpg.PostgresConnectionError("the database cannot be reached") from error


def refuse_closed(connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
    """Tell of a new connection that is lost already what SQLAlchemy's users expect.

    A first connection is prepared while others wait. Prepared when the server has closed them
    meanwhile, they would raise an error of asyncpg's own.

    Raises:
        OperationalError: the connection is closed.
    """
    if connection.driver_connection.is_closed():
        lost = ConnectionResetError("the database has closed the connection")
        raise OperationalError(None, None, lost, connection_invalidated=True)


def leave_standby(context: ExceptionContext) -> None:
    """Drop all connections when the server takes no writes: after a failover, another one does."""
    if getattr(context.original_exception, "sqlstate", None) == READ_ONLY:
        context.is_disconnect = True


def without_foreign_parameters(url: str) -> str:
    """Leave out what asyncpg does not understand."""
    parts = urlsplit(url)
    query = [pair for pair in parse_qsl(parts.query) if pair[0] not in NOT_FOR_ASYNCPG]
    return parts._replace(query=urlencode(query)).geturl()

"""PostgreSQL, through asyncpg."""

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import asyncpg
import structlog
from sqlalchemy import event
from sqlalchemy.dialects import registry
from sqlalchemy.dialects.postgresql.asyncpg import PGDialect_asyncpg
from sqlalchemy.engine.interfaces import DBAPIConnection, ExceptionContext
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

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

# What SQLAlchemy finds `AsyncpgDialect` by.
DIALECT = "postgresql.app_asyncpg"

logger = structlog.stdlib.get_logger(__name__)


class AsyncpgDialect(PGDialect_asyncpg):
    """SQLAlchemy's own, for connections that are lost before they are used."""

    supports_statement_cache = True

    def on_connect(self) -> Callable[[DBAPIConnection], None]:
        """Prepare a new connection.

        The first connection is prepared while others wait. If the server has closed one meanwhile,
        or no longer responds, asyncpg raises errors that are none of SQLAlchemy's.

        Raises:
            OperationalError: the connection is lost.
        """
        prepare = super().on_connect()  # type: ignore[no-untyped-call]

        def prepare_or_fail(connection: DBAPIConnection) -> None:
            try:
                prepare(connection)
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                raise OperationalError(None, None, error, connection_invalidated=True) from error

        return prepare_or_fail

    def do_ping(self, dbapi_connection: DBAPIConnection) -> bool:
        """Whether the server responds; asyncpg raises `TimeoutError` if it does not."""
        with suppress(OSError):
            super().do_ping(dbapi_connection)  # type: ignore[no-untyped-call]
            return True
        return False


def warn_if_unset(settings: DatabaseSettings) -> None:
    """Tell a developer who expects PostgreSQL that this is not it."""
    if "database_url" not in settings.model_fields_set:
        logger.warning("database_is_a_file", hint="DATABASE_URL is unset, so this is SQLite")


def create_engine(url: str, settings: DatabaseSettings, options: dict[str, Any]) -> AsyncEngine:
    """Describe how to connect; asyncpg reads the address, for it knows `sslmode` and its like."""
    registry.register(DIALECT, __name__, AsyncpgDialect.__name__)
    engine = create_async_engine(
        f"{DIALECT.replace('.', '+')}://", async_creator=partial(connect, url, settings), **options
    )
    event.listen(engine.sync_engine, "handle_error", leave_standby)
    event.listen(engine.sync_engine, "handle_error", name_lost_connection)
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


def leave_standby(context: ExceptionContext) -> None:
    """Drop all connections when the server takes no writes: after a failover, another one does."""
    if getattr(context.original_exception, "sqlstate", None) == READ_ONLY:
        context.is_disconnect = True


def name_lost_connection(context: ExceptionContext) -> Exception | None:
    """Make an error of SQLAlchemy's of a server that no longer responds.

    asyncpg raises `TimeoutError` and other errors of `OSError`, as the owner's own code may.
    """
    error = context.original_exception
    if not isinstance(error, OSError):
        return None
    context.is_disconnect = True
    return OperationalError(None, None, error, connection_invalidated=True)


def without_foreign_parameters(url: str) -> str:
    """Leave out what asyncpg does not understand."""
    parts = urlsplit(url)
    query = [pair for pair in parse_qsl(parts.query) if pair[0] not in NOT_FOR_ASYNCPG]
    return parts._replace(query=urlencode(query)).geturl()

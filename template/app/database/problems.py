"""What a caller learns when the database refuses, or is away."""

import structlog
from fastapi import FastAPI
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolExhaustedError
from sqlalchemy.orm.exc import StaleDataError
from starlette.requests import Request
from starlette.responses import Response

from app.health import RETRY_AFTER
from app.problems import ProblemError, problem_response

# Codes of the database. A code that is cut short stands for its whole class.
CONFLICT = (
    # {% if database == 'postgresql' %}
    "23503",  # foreign key
    "23505",  # unique
    # {% endif %}
    "SQLITE_CONSTRAINT_FOREIGNKEY",
    "SQLITE_CONSTRAINT_PRIMARYKEY",
    "SQLITE_CONSTRAINT_UNIQUE",
)
UNAVAILABLE = (
    # {% if database == 'postgresql' %}
    "08",  # connection
    "28",  # authorization
    "3D",  # no such database
    "40",  # deadlock, and other rollbacks that pass
    "53",  # out of connections, memory or disk
    "55P03",  # lock not available
    "57",  # time limit, shutdown, start-up
    "58",  # system error
    # {% endif %}
    "SQLITE_BUSY",
    "SQLITE_CANTOPEN",
    "SQLITE_FULL",
    "SQLITE_IOERR",
)

logger = structlog.stdlib.get_logger(__name__)


def add_database_problems(app: FastAPI) -> None:
    """Answer errors of the database with problems; what it says itself may be about others."""
    app.exception_handler(SQLAlchemyError)(handle_database_error)
    # {% if database == 'postgresql' %}
    # Of a server that has gone without a word, the driver tells no more than this.
    app.exception_handler(TimeoutError)(handle_unavailable)
    # {% endif %}


async def handle_database_error(request: Request, error: SQLAlchemyError) -> Response:
    """Tell a conflict from a database that is away, and leave the rest to `UnexpectedErrors`."""
    if is_conflict(error):
        problem = ProblemError(409, "This conflicts with what is stored already.")
        return problem_response(request.scope, problem)
    if is_unavailable(error):
        return await handle_unavailable(request, error)
    raise error


async def handle_unavailable(request: Request, error: Exception) -> Response:
    """Ask the caller to come back later."""
    logger.warning("database_unavailable", error=repr(error))
    detail = "The service cannot reach what it depends on."
    problem = ProblemError(503, detail, headers=RETRY_AFTER)
    return problem_response(request.scope, problem)


def is_conflict(error: SQLAlchemyError) -> bool:
    """Whether a constraint, or another's change at the same time, forbids the change."""
    return isinstance(error, StaleDataError) or code_of(error).startswith(CONFLICT)


def is_unavailable(error: SQLAlchemyError) -> bool:
    """Whether the same request may well succeed later."""
    lost = isinstance(error, DBAPIError) and error.connection_invalidated
    return lost or isinstance(error, PoolExhaustedError) or code_of(error).startswith(UNAVAILABLE)


def code_of(error: SQLAlchemyError) -> str:
    """Give the database's own code of the error, or nothing."""
    original = error.orig if isinstance(error, DBAPIError) else None
    return getattr(original, "sqlstate", None) or getattr(original, "sqlite_errorname", None) or ""

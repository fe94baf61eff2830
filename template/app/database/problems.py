"""What a caller learns when the database refuses, or is away."""

import structlog
from fastapi import FastAPI
from sqlalchemy.exc import DataError, DBAPIError, SQLAlchemyError, StatementError
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
UNFIT = (
    # {% if database == 'postgresql' %}
    "22",  # a value that the database does not take
    # {% endif %}
    "SQLITE_MISMATCH",
    "SQLITE_TOOBIG",
)

logger = structlog.stdlib.get_logger(__name__)


def add_database_problems(app: FastAPI) -> None:
    """Answer errors of the database with problems; what it says itself may be about others."""
    app.exception_handler(SQLAlchemyError)(handle_database_error)


async def handle_database_error(request: Request, error: SQLAlchemyError) -> Response:
    """Respond with what the caller can do about it; any other error is unexpected."""
    if is_conflict(error):
        problem = ProblemError(409, "This conflicts with what is stored already.")
        return problem_response(request.scope, problem)
    if is_unfit(error):
        # The value may be a secret, and the words of the database would show it.
        reason = code_of(error) or type(error).__name__
        hint = "validate it in a schema, so that the caller learns which value it is"
        logger.warning("value_refused_by_database", reason=reason, hint=hint)
        problem = ProblemError(
            422, "A value is too large, too long, or of a form that cannot be stored."
        )
        return problem_response(request.scope, problem)
    if is_unavailable(error):
        logger.warning("database_unavailable", error=repr(error))
        detail = "The service cannot reach what it depends on."
        problem = ProblemError(503, detail, headers=RETRY_AFTER)
        return problem_response(request.scope, problem)
    raise error


def is_conflict(error: SQLAlchemyError) -> bool:
    """Whether a constraint, or another's change at the same time, forbids the change."""
    return isinstance(error, StaleDataError) or code_of(error).startswith(CONFLICT)


def is_unfit(error: SQLAlchemyError) -> bool:
    """Whether a value is none that its column can hold."""
    if isinstance(error, DBAPIError):
        return isinstance(error, DataError) or code_of(error).startswith(UNFIT)
    # What a type of SQLAlchemy, or of your own, refuses to write.
    return isinstance(error, StatementError) and type(error.orig) in {ValueError, LookupError}


def is_unavailable(error: SQLAlchemyError) -> bool:
    """Whether the same request may well succeed later."""
    lost = isinstance(error, DBAPIError) and error.connection_invalidated
    return lost or isinstance(error, PoolExhaustedError) or code_of(error).startswith(UNAVAILABLE)


def code_of(error: SQLAlchemyError) -> str:
    """Give the database's own code of the error, or nothing."""
    original = error.orig if isinstance(error, DBAPIError) else None
    return getattr(original, "sqlstate", None) or getattr(original, "sqlite_errorname", None) or ""

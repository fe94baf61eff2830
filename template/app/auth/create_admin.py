"""Make an administrator: `python -m app.auth.create_admin EMAIL`.

The password is asked for, or read from standard input when that is no terminal.
"""

import asyncio
import sys
from argparse import ArgumentParser
from getpass import getpass

import structlog
from pydantic import ValidationError
from sqlalchemy.exc import DBAPIError

from app.auth.passwords import PasswordHasher
from app.database.commands import explain_database_errors
from app.database.engine import create_engine
from app.database.session import open_session
from app.logs import configure_logging
from app.settings import Settings, describe, get_settings
from app.users.schemas import Registration
from app.users.service import make_admin

logger = structlog.stdlib.get_logger(__name__)


def main() -> None:
    """Read the address and the password, and write the administrator into the database."""
    parser = ArgumentParser(
        prog="python -m app.auth.create_admin",
        description="Make an administrator; an account that exists gets the new password.",
    )
    parser.add_argument("email")
    arguments = parser.parse_args()
    settings = get_settings()
    configure_logging(settings)
    try:
        registration = Registration(email=arguments.email, password=read_password())
    except ValidationError as error:
        faults = [describe(fault["loc"], fault["msg"]) for fault in error.errors()]
        raise SystemExit("\n".join(faults)) from None
    try:
        asyncio.run(create_admin(settings, registration))
    except DBAPIError as error:
        raise SystemExit(f"The database refuses; is it migrated? {error.orig}") from None
    logger.info("admin_made", email=registration.email)


def read_password() -> str:
    """Ask twice on a terminal; else take the first line."""
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\n")
    password = getpass("Password: ")
    if getpass("The same again: ") != password:
        raise SystemExit("The passwords differ.")
    return password


@explain_database_errors()
async def create_admin(settings: Settings, registration: Registration) -> None:
    """Write the administrator into the database."""
    engine = create_engine(settings)
    hasher = PasswordHasher(settings.password_hashing_limit)
    password = registration.password.get_secret_value()
    async with open_session(engine) as session, session.begin():
        await make_admin(session, hasher, email=registration.email, password=password)
    await engine.dispose()


if __name__ == "__main__":
    main()

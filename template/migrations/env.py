"""What Alembic runs for each of its commands."""

import asyncio
from typing import Any

from alembic import context
from alembic.operations import MigrationScript
from sqlalchemy import (
    Connection,
    # {% if database == 'postgresql' %}
    func,
    select,
    # {% endif %}
)

import app.main  # noqa: F401  with it come all models
from app.database.base import Base
from app.database.commands import explain_database_errors
from app.database.engine import create_engine
from app.database.revisions import render_item
from app.settings import get_settings

OWN_BRANCH = "own"
# {% if database == 'postgresql' %}
LOCK = 4_817_230_951  # any number, as long as all replicas have the same
# {% endif %}


@explain_database_errors()
async def migrate() -> None:
    """Connect as the service does."""
    settings = get_settings()
    # {% if database == 'postgresql' %}
    if context.is_offline_mode():
        run_migrations(dialect_name="postgresql", literal_binds=True)
        return
    # A change of a large table takes longer than a request may.
    settings = settings.model_copy(update={"database_statement_timeout": 0})
    # {% endif %}
    engine = create_engine(settings)
    try:
        async with engine.connect() as connection:
            # {% if database == 'postgresql' %}
            while not await connection.run_sync(take_turn):  # noqa: ASYNC110  it is in the server
                await asyncio.sleep(0.2)
            # {% endif %}
            await connection.run_sync(migrate_online)
    finally:
        await engine.dispose()


# {% if database == 'postgresql' %}
def take_turn(connection: Connection) -> bool:
    """Try to lock out other replicas that start, until the connection is closed.

    To wait inside the server would be a transaction, whose end CREATE INDEX CONCURRENTLY awaits.
    SQLite needs no lock of ours, for a migration is a transaction that writes.
    """
    if connection.dialect.name == "sqlite":
        return True
    taken = connection.scalar(select(func.pg_try_advisory_lock(LOCK)))
    connection.commit()
    return bool(taken)


# {% endif %}
def migrate_online(connection: Connection) -> None:
    """Change the database."""
    if connection.dialect.name == "sqlite":
        # To change a table is to copy it and drop the old one, and with it what refers to its rows.
        connection.connection.cursor().execute("PRAGMA foreign_keys = OFF")
    run_migrations(connection=connection)


def run_migrations(**target: Any) -> None:
    """Do what the command asks for in one transaction: all of it, or nothing."""
    context.configure(
        **target,
        target_metadata=Base.metadata,
        process_revision_directives=place_in_own_branch,
        render_as_batch=True,
        render_item=render_item,
        transactional_ddl=True,
    )
    with context.begin_transaction():
        context.run_migrations()


def place_in_own_branch(
    _context: object, _revision: object, directives: list[MigrationScript]
) -> None:
    """Put a new revision behind the last of your own, and after all that the features brought.

    Revisions of features so never build on yours, whatever is switched on later.
    """
    heads = context.script.get_revisions("heads")
    own = [head.revision for head in heads if OWN_BRANCH in head.branch_labels]
    for directive in directives:
        directive.head = own[0] if own else "base"
        directive.branch_label = None if own else OWN_BRANCH
        directive.depends_on = [head.revision for head in heads if head.revision not in own]


asyncio.run(migrate())

"""Connections to the database, kept ready in a pool."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

from fastapi import FastAPI
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from app.database import (
    # {% if database == 'postgresql' %}
    postgresql,
    # {% endif %}
    sqlite,
)
from app.database.settings import DatabaseSettings


@asynccontextmanager
async def open_engine(app: FastAPI, settings: DatabaseSettings) -> AsyncIterator[None]:
    """Let requests use the database, and close its connections at the end."""
    # {% if database == 'postgresql' %}
    postgresql.warn_if_unset(settings)
    # {% endif %}
    engine = create_engine(settings)
    app.state.engine = engine
    app.state.readiness.checks["database"] = partial(ping, engine)
    try:
        yield
    finally:
        await engine.dispose()


def create_engine(settings: DatabaseSettings) -> AsyncEngine:
    """Describe how to connect; the first use does."""
    url = settings.database_url.get_secret_value()
    options: dict[str, Any] = {
        # What is written may be a secret, and errors are logged.
        "hide_parameters": True,
        "max_overflow": settings.database_max_overflow,
        "pool_pre_ping": True,
        "pool_size": settings.database_pool_size,
        "pool_timeout": settings.database_pool_timeout,
    }
    # {% if database == 'postgresql' %}
    if url.startswith("postgresql:"):
        return postgresql.create_engine(url, settings, options)
    # {% endif %}
    return sqlite.create_engine(url, settings, options)


async def ping(engine: AsyncEngine) -> None:
    """Make sure that the database answers."""
    async with engine.execution_options(read_only=True).connect() as connection:
        await connection.execute(text("SELECT 1"))

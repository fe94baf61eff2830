"""Databases of the tests' own, made and dropped by them."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import Executable

from app.database.base import Base
from app.database.engine import create_engine
from app.settings import Settings, get_settings
# {% if database == 'postgresql' %}
from tests.database.server import SERVER, database_on_server
# {% endif %}

PROJECT_ROOT = Path(__file__).parents[2]


@contextmanager
def new_database(folder: Path) -> Iterator[str]:
    """Give the address of an empty database."""
    name = f"test_{uuid4().hex}"
    # {% if database == 'postgresql' %}
    if SERVER:
        with database_on_server(name) as url:
            yield url
        return
    # {% endif %}
    yield f"sqlite:///{folder / name}.db"


@contextmanager
def using_database(url: str) -> Iterator[None]:
    """Let the service, and Alembic, find the address in the environment."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DATABASE_URL", url)
        get_settings.cache_clear()
        yield
    get_settings.cache_clear()


def alembic(name: str, *arguments: str, project: Path = PROJECT_ROOT, **options: Any) -> None:
    """Run a command of Alembic on the database in use."""
    config = Config(toml_file=project / "pyproject.toml")
    getattr(command, name)(config, *arguments, **options)


def execute(*statements: Executable) -> Sequence[Any]:
    """Run statements in a transaction, and give the rows of the last."""

    async def run() -> Sequence[Any]:
        engine = create_engine(Settings(environment="test"))
        try:
            async with engine.begin() as connection:
                for statement in statements:
                    result = await connection.execute(statement)
                return result.all() if result.returns_rows else []
        finally:
            await engine.dispose()

    return asyncio.run(run())


@pytest.fixture(scope="session", autouse=True)
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A database with all tables, for all tests."""
    with new_database(tmp_path_factory.mktemp("database")) as url, using_database(url):
        alembic("upgrade", "heads")
        yield


@pytest.fixture(autouse=True)
def empty_tables(database: None) -> Iterator[None]:
    """Leave no rows to the next test."""
    yield
    execute(*(table.delete() for table in reversed(Base.metadata.sorted_tables)))


@pytest.fixture
def empty_database(tmp_path: Path) -> Iterator[None]:
    """A database without tables, for one test."""
    with new_database(tmp_path) as url, using_database(url):
        yield

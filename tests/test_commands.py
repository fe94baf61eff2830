"""The commands of a generated project work on every machine, and fail with one sentence."""

import errno
import json
import os
import re
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2
import pytest

from tests.living import edit
from tests.projects import check, commit_all, run
from tests.questions import preset
from tests.rendering import write
from tests.services import (
    POSTGRESQL,
    PRODUCTION,
    REDIS,
    free_port,
    install,
    need_postgresql,
    use_environment,
)

pytestmark = pytest.mark.slow

ANY_ADDRESS = ".".join("0000")
CREATE_ADMIN = "app.auth.create_admin"
UNTIDY = 'import os\nx=1;y = "' + "a" * 100 + '"\n'
"""What needs the formatter, a fix, and a person."""


@pytest.fixture(scope="module")
def project(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give an installed project with every feature, in a folder with a difficult name."""
    folder = tmp_path_factory.mktemp("commands") / 'Jörg\'s "best" $services'
    project = write(template, folder, preset("full"))
    install(project)
    commit_all(project, "Start")
    return project


@pytest.fixture
def clean(project: Path) -> Path:
    """Give the project as it was written, and restore it afterwards."""
    check("git", "reset", "--quiet", "--hard", cwd=project)
    check("git", "clean", "--quiet", "-d", "--force", cwd=project)
    return project


def make(project: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run make as the project's owner does; the caller judges the exit status."""
    return run("make", *arguments, cwd=project, **use_environment(project), **environment)


def expect_success(result: subprocess.CompletedProcess[str]) -> str:
    """Expect status 0, and return what was printed."""
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


@pytest.mark.parametrize(
    ("folder", "arguments"),
    [
        (".", ["tests/test_health.py"]),
        (".", ["tests/test_settings.py", "-k", "commas"]),
        ("tests", ["test_health.py"]),
    ],
)
def test_some_tests_run_alone_and_pass_without_the_rest(
    clean: Path, folder: str, arguments: list[str]
) -> None:
    program = clean / ".venv" / "bin" / "pytest"
    printed = check(program, *arguments, cwd=clean / folder)
    assert " passed" in printed
    assert "coverage" not in printed
    files = {line.split()[0] for line in printed.splitlines() if line.startswith("tests/")}
    assert len(files) <= 1


def test_make_test_takes_a_selection(clean: Path) -> None:
    printed = expect_success(
        make(clean, "test", 'ARGS=tests/test_health.py -k "alive or draining"')
    )
    assert " passed" in printed
    assert " deselected" in printed
    assert "coverage" not in printed


def test_make_test_demands_coverage(clean: Path) -> None:
    printed = make(clean, "--dry-run", "test").stdout
    assert printed.strip().endswith("pytest --cov")
    # the threshold is that of pyproject.toml: a run that covers less fails
    edit(clean / "pyproject.toml", 'testpaths = ["tests"]', 'testpaths = ["tests/test_health.py"]')
    result = make(clean, "test")
    assert result.returncode != 0
    assert "Required test coverage of 90.0% not reached" in result.stdout


def test_make_format_formats_fixes_and_reports_what_is_left(clean: Path) -> None:
    (clean / "app" / "untidy.py").write_text(UNTIDY)
    (clean / "app" / "broken.py").write_text("def f(:\n")
    result = make(clean, "format")
    assert result.returncode != 0
    assert "E501" in result.stdout
    assert "broken.py" in result.stdout
    assert (clean / "app" / "untidy.py").read_text() == 'x = 1\ny = "' + "a" * 100 + '"\n'

    (clean / "app" / "untidy.py").unlink()
    (clean / "app" / "broken.py").unlink()
    expect_success(make(clean, "format"))
    assert not check("git", "status", "--porcelain", cwd=clean)


def test_make_lint_runs_every_check(clean: Path) -> None:
    (clean / "app" / "untidy.py").write_text("import humanize\n\nx: int = 'a'\n")
    result = make(clean, "lint")
    assert result.returncode != 0
    for finding in ("F401", "would be reformatted", "[assignment]", "DEP001"):
        assert finding in result.stdout + result.stderr, finding


def test_make_migration_writes_a_formatted_file_and_raises_no_alarm(clean: Path) -> None:
    database = {"DATABASE_URL": f"sqlite:///{clean.parent}/migration.db"}
    expect_success(make(clean, "migrate", **database))
    edit(clean / "app" / "items" / "models.py", "String(100)", "String(120)")
    message = "Let the name of a \"lamp\" be 'longer': " + "so long that no line holds it " * 3
    result = make(clean, "migration", f"m={message}", **database)
    printed = expect_success(result) + result.stderr
    assert "E501" not in printed
    assert "error" not in printed.lower()
    written = check("git", "status", "--porcelain", "migrations", cwd=clean).split()[-1]
    assert message.strip() in (clean / written.strip('"')).read_text("utf-8")
    check(clean / ".venv" / "bin" / "ruff", "format", "--check", written.strip('"'), cwd=clean)


@pytest.fixture(scope="module")
def busy() -> Iterator[str]:
    """Give a port on which another process listens, although it would share it, as Granian does."""
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        other.bind(("127.0.0.1", 0))
        other.listen()
        yield str(other.getsockname()[1])


def python(
    project: Path, *arguments: str, typed: str = "", **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run Python in the project's environment, on a machine where nothing is set."""
    unset = {"HOST": "", "ENVIRONMENT": "", "DATABASE_URL": "sqlite:///start.db"}
    return subprocess.run(
        [project / ".venv" / "bin" / "python", *arguments],
        cwd=project,
        env={**os.environ, **unset, **environment},
        input=typed,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def expect_sentence(result: subprocess.CompletedProcess[str], sentence: str) -> None:
    """Expect a failure that prints this and nothing else."""
    assert result.returncode == 1
    assert result.stdout == ""
    assert result.stderr == f"{sentence}\n"


def exits(project: Path, setup: str, call: str, cases: list[Any]) -> list[str]:
    """Call a function of the project for each case; return with what message it exits.

    One process for all of them: to import the service takes longer than all else.
    """
    code = f"""
import json, sys
{setup}
for case in json.loads(sys.argv[1]):
    try:
        {call}
    except SystemExit as stop:
        print(json.dumps(str(stop)), file=sys.stderr)
    else:
        print(json.dumps(None), file=sys.stderr)
"""
    result = python(project, "-c", code, json.dumps(cases))
    assert result.returncode == 0, result.stderr
    return [json.loads(line) for line in result.stderr.splitlines()]


@pytest.mark.parametrize(
    ("arguments", "environment"),
    [
        (["--reload"], {"HOST": "localhost"}),
        ([], {**PRODUCTION, "HOST": ANY_ADDRESS, "WORKERS": "2", "REDIS_URL": REDIS}),
        ([], {"HOST": "::"}),
    ],
    ids=["reload", "several-workers", "ipv6"],
)
def test_a_busy_port_is_one_sentence(
    clean: Path, busy: str, arguments: list[str], environment: dict[str, str]
) -> None:
    result = python(clean, "-m", "app", *arguments, **{**environment, "PORT": busy})
    expect_sentence(result, f"PORT {busy} is in use. Stop the other process or set PORT.")


def test_make_run_ends_with_the_sentence(clean: Path, busy: str) -> None:
    result = make(clean, "run", PORT=busy, DATABASE_URL="sqlite:///start.db")
    assert result.returncode != 0
    sentence, last = result.stderr.splitlines()[-2:]
    assert sentence == f"PORT {busy} is in use. Stop the other process or set PORT."
    assert last.startswith("make: ***")


def test_a_host_or_port_that_cannot_be_used_is_one_sentence(clean: Path) -> None:
    unknown = ["nowhere.invalid", "x86_64-conda-linux-gnu", "http://localhost", "a" * 70]
    foreign = ["203.0.113.7", "2001:db8::1"]
    printed = exits(
        clean,
        "from app.__main__ import find_address",
        "find_address(case, 0)",
        [*unknown, *foreign],
    )
    assert printed == [
        *(
            f"HOST {host} cannot be resolved. Set HOST to an address, such as 127.0.0.1."
            for host in unknown
        ),
        *(
            f"HOST {host} is no address of this machine. Set HOST, for example to 127.0.0.1."
            for host in foreign
        ),
    ]
    # root may open every port, so the rights that lack are made up
    refusals = exits(
        clean,
        "from app.__main__ import explain_refusal",
        "raise SystemExit(explain_refusal(OSError(case, 'Out of luck'), '127.0.0.1', 80))",
        [errno.EACCES, errno.ENOBUFS],
    )
    assert refusals == [
        "PORT 80 needs more rights than you have. Set PORT to 1024 or above.",
        "HOST 127.0.0.1 and PORT 80 cannot be used: Out of luck. Set others.",
    ]


@pytest.mark.parametrize("host", ["localhost", "[::1]", ANY_ADDRESS, socket.gethostname()])
def test_names_and_addresses_of_this_machine_are_served_where_the_log_says(
    clean: Path, host: str
) -> None:
    process = subprocess.Popen(
        [clean / ".venv" / "bin" / "python", "-m", "app"],
        cwd=clean,
        env={**os.environ, "ENVIRONMENT": "", "HOST": host, "PORT": str(free_port())},
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        assert process.stdout
        printed = ""
        while "Started worker-1" not in printed:
            line = process.stdout.readline()
            assert line, printed
            printed += line
        url = re.findall(r"http://\S+/docs", printed)[0]
        assert httpx2.get(url, timeout=60).status_code == 200
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)
        assert process.returncode == 0
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


DOTENV_FAULTS = {
    b'PORT=1\nNAME="J\xf6rg"\n': ".env: is not UTF-8; save it as UTF-8",
    "PORT=1\n".encode("utf-16"): ".env: is not UTF-8; save it as UTF-8",
    b"\n# why\n\nPORT 1\n": ".env, line 4: must be NAME=value",
    b"PORT\n": ".env, line 1: must be NAME=value",
    b'HOST=a\r\nLOG_LEVEL="INFO\r\nPORT=1\r\n': ".env, line 2: must be NAME=value",
    b"\xef\xbb\xbfPORT=many\n": (
        "PORT: Input should be a valid integer, unable to parse string as an integer"
    ),
    b"": ".env: Is a directory; it must be a file that you may read",
}
"""What is wrong with a file; the empty one stands for a folder."""


def test_a_fault_of_dotenv_is_named_with_its_line(clean: Path, tmp_path: Path) -> None:
    folders = [tmp_path / str(number) for number in range(len(DOTENV_FAULTS))]
    for folder, content in zip(folders, DOTENV_FAULTS, strict=True):
        folder.mkdir()
        if content:
            (folder / ".env").write_bytes(content)
        else:
            (folder / ".env").mkdir()
    printed = exits(
        clean,
        "import os; from app.settings import get_settings",
        "os.chdir(case); get_settings()",
        [str(folder) for folder in folders],
    )
    head = "The service cannot start. Please mend these settings:"
    assert printed == [f"{head}\n  {fault}" for fault in DOTENV_FAULTS.values()]

    (clean / ".env").write_bytes(b"PORT 1\n")
    try:
        for program in ("app", "app.jobs.worker", "alembic"):
            result = python(clean, "-m", program, *["current"][: program == "alembic"])
            expect_sentence(result, f"{head}\n  .env, line 1: must be NAME=value")
    finally:
        (clean / ".env").unlink()


def test_an_unusable_database_is_one_sentence_without_the_password(clean: Path) -> None:
    need_postgresql()
    server = urlsplit(POSTGRESQL)
    faults = {
        "postgresql://ann:hunter2@127.0.0.1:1/shop": "[Errno 111] Connect call failed",
        "postgresql://ann:hunter2@nowhere.invalid/shop": "[Errno -",
        server._replace(path="/no_such").geturl(): 'database "no_such" does not exist',
        server._replace(query="sslmode=never").geturl(): "`sslmode` parameter must be one of",
        "sqlite:////nowhere/app.db": "unable to open database file",
        f"sqlite:///{clean.parent.parent / 'text'}": "file is not a database",
    }
    (clean.parent.parent / "text").write_text("This is not a database. " * 100)
    printed = exits(
        clean,
        "import os; from alembic.config import main; from app.settings import get_settings",
        "get_settings.cache_clear(); os.environ['DATABASE_URL'] = case; main(['upgrade', 'heads'])",
        list(faults),
    )
    for line, reason in zip(printed, faults.values(), strict=True):
        assert line.startswith(f"The database cannot be used: {reason}"), line
        assert line.endswith(". Check DATABASE_URL."), line
        assert "hunter2" not in line

    typed = "correct horse battery staple\n"
    for program in (["-m", "alembic", "upgrade", "heads"], ["-m", CREATE_ADMIN, "ann@example.com"]):
        result = python(clean, *program, typed=typed, DATABASE_URL="sqlite:////nowhere/app.db")
        sentence = "The database cannot be used: unable to open database file. Check DATABASE_URL."
        expect_sentence(result, sentence)


def test_a_migration_that_is_wrong_still_shows_where(clean: Path) -> None:
    edit(
        clean / "migrations" / "versions" / "items_0001.py",
        "    op.create_table(",
        '    op.execute("SELECT nothing")\n    op.create_table(',
    )
    result = python(clean, "-m", "alembic", "upgrade", "heads", DATABASE_URL="sqlite:///wrong.db")
    assert result.returncode == 1
    assert "items_0001.py" in result.stderr

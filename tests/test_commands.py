"""The commands of a generated project work on every machine, and fail with one sentence."""

import errno
import json
import os
import re
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import urlsplit

import httpx2
import pytest

from tests.edited import edit
from tests.projects import check, commit_all, expect_files, snapshot
from tests.questions import Answers
from tests.rendering import write
from tests.services import (
    POSTGRESQL,
    PRODUCTION,
    REDIS,
    free_port,
    interpreter,
    need,
    need_postgresql,
    need_redis,
)

pytestmark = pytest.mark.slow

MISSING = "3.15"
Result = subprocess.CompletedProcess[str]
ANY_ADDRESS = ".".join("0000")
CREATE_ADMIN = "app.auth.create_admin"
UNTIDY = 'import os\nx=1;y = "' + "a" * 100 + '"\n'
"""What needs the formatter, a fix, and a person."""


ANSWERS: Answers = {"background_tasks": True, "python_version": MISSING}
PROGRAMS = [
    *(
        "base64",
        "bash",
        "cat",
        "chmod",
        "cksum",
        "cp",
        "dirname",
        "env",
        "expand",
        "find",
        "git",
        "grep",
    ),
    *("head", "make", "rm", "sed", "sh", "tr"),
]
"""Beside Python: what every machine with make and git has."""


@dataclass(frozen=True)
class Machine:
    """A machine with Python 3.11, make and git, and an installed project in a folder of any name."""

    environment: dict[str, str]
    project: Path
    first_words: str

    def run(self, *command: str | Path, typed: str = "", **settings: str) -> Result:
        """Run a command in the project; the caller judges the exit status."""
        return subprocess.run(
            command,
            cwd=self.project,
            env=self.environment | settings,
            input=typed,
            capture_output=True,
            text=True,
            check=False,
            timeout=900,
        )

    def make(self, *arguments: str, **settings: str) -> Result:
        """Run make; the caller judges the exit status."""
        return self.run("make", *arguments, **settings)

    @contextmanager
    def started(self, command: str, until: str, **settings: str) -> Iterator[str]:
        """Run what serves until it is stopped, and give what it prints until this is printed."""
        process = subprocess.Popen(
            ["sh", "-ec", command],
            cwd=self.project,
            env=self.environment | settings,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        try:
            assert process.stdout
            printed = ""
            while until not in printed:
                line = process.stdout.readline()
                assert line, printed
                printed += line
            yield printed
            os.killpg(process.pid, signal.SIGTERM)
            process.communicate(timeout=60)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.communicate()


@pytest.fixture(scope="module")
def machine(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Machine:
    """Give a project that `make migrate`, as its first command, has installed."""
    need(interpreter("3.11"), "needs Python 3.11")
    folder = tmp_path_factory.mktemp("machine")
    programs, home = folder / "bin", folder / "home"
    programs.mkdir()
    home.mkdir()
    for name in PROGRAMS:
        (programs / name).symlink_to(check("which", name, cwd=folder).strip())
    (programs / "python3.11").symlink_to(Path(interpreter("3.11")).resolve())
    kept = ("GIT_TEMPLATE_DIR", "MYPY_CACHE_DIR", "PIP_", "SSL_", "TMPDIR", "UV_INDEX")
    environment = {
        **{name: value for name, value in os.environ.items() if name.startswith(kept)},
        "HOME": str(home),
        "LANG": "C.UTF-8",
        "PATH": str(programs),
        "GIT_AUTHOR_NAME": "T",
        "GIT_COMMITTER_NAME": "T",
        "EMAIL": "t@example.com",
        # what others have set on the machine, and what nobody means for this project
        "CONDA_PREFIX": "/opt/conda",
        "DEBUG": "release",
        "VIRTUAL_ENV": "/opt/other",
        "UV_CACHE_DIR": check("uv", "cache", "dir", cwd=folder).strip(),
        # as without a network beyond the package index
        "UV_PYTHON_DOWNLOADS": "never",
    }
    project = write(template, folder / 'Jörg\'s "best" $services', ANSWERS)
    commit_all(project, "Start")
    machine = Machine(environment, project, "")
    result = machine.make("migrate")
    assert result.returncode == 0, result.stdout + result.stderr
    commit_all(project, "Lock the versions")
    return replace(machine, first_words=result.stderr)


@pytest.fixture
def clean(machine: Machine) -> Machine:
    """Give the machine with the project as it was written."""
    check("git", "reset", "--quiet", "--hard", cwd=machine.project)
    check("git", "clean", "--quiet", "-d", "--force", cwd=machine.project)
    (machine.project / ".env").unlink(missing_ok=True)
    return machine


def expect_success(result: Result) -> str:
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
    clean: Machine, folder: str, arguments: list[str]
) -> None:
    program = clean.project / ".venv" / "bin" / "pytest"
    printed = check(program, *arguments, cwd=clean.project / folder)
    assert " passed" in printed
    assert "coverage" not in printed
    files = {line.split()[0] for line in printed.splitlines() if line.startswith("tests/")}
    assert len(files) <= 1


def test_make_test_takes_a_selection(clean: Machine) -> None:
    printed = expect_success(clean.make("test", 'ARGS=tests/test_health.py -k "alive or draining"'))
    assert " passed" in printed
    assert " deselected" in printed
    assert "coverage" not in printed


def test_make_test_demands_coverage(clean: Machine) -> None:
    printed = clean.make("--dry-run", "test").stdout
    assert printed.strip().endswith("pytest --cov")
    # the threshold is that of pyproject.toml: a run that covers less fails
    edit(
        clean.project / "pyproject.toml",
        'testpaths = ["tests"]',
        'testpaths = ["tests/test_health.py"]',
    )
    result = clean.make("test")
    assert result.returncode != 0
    assert "Required test coverage of 90.0% not reached" in result.stdout


def test_make_format_formats_fixes_and_reports_what_is_left(clean: Machine) -> None:
    (clean.project / "app" / "untidy.py").write_text(UNTIDY)
    (clean.project / "app" / "broken.py").write_text("def f(:\n")
    result = clean.make("format")
    assert result.returncode != 0
    assert "E501" in result.stdout
    assert "broken.py" in result.stdout
    assert (clean.project / "app" / "untidy.py").read_text() == 'x = 1\ny = "' + "a" * 100 + '"\n'

    (clean.project / "app" / "untidy.py").unlink()
    (clean.project / "app" / "broken.py").unlink()
    expect_success(clean.make("format"))
    assert not check("git", "status", "--porcelain", cwd=clean.project)


def test_make_lint_runs_every_check(clean: Machine) -> None:
    (clean.project / "app" / "untidy.py").write_text("import humanize\n\nx: int = 'a'\n")
    result = clean.make("lint")
    assert result.returncode != 0
    for finding in ("F401", "would be reformatted", "[assignment]", "DEP001"):
        assert finding in result.stdout + result.stderr, finding


def test_make_migration_writes_a_formatted_file_and_raises_no_alarm(clean: Machine) -> None:
    database = {"DATABASE_URL": f"sqlite:///{clean.project.parent}/migration.db"}
    expect_success(clean.make("migrate", **database))
    edit(clean.project / "app" / "items" / "models.py", "String(100)", "String(120)")
    message = "Let the name of a \"lamp\" be 'longer': " + "so long that no line holds it " * 3
    result = clean.make("migration", f"m={message}", **database)
    printed = expect_success(result) + result.stderr
    assert "E501" not in printed
    assert "error" not in printed.lower()
    written = check("git", "status", "--porcelain", "migrations", cwd=clean.project).split()[-1]
    assert message.strip() in (clean.project / written.strip('"')).read_text("utf-8")
    check(
        clean.project / ".venv" / "bin" / "ruff",
        "format",
        "--check",
        written.strip('"'),
        cwd=clean.project,
    )


@pytest.fixture(scope="module")
def busy() -> Iterator[str]:
    """Give a port on which another process listens, although it would share it, as Granian does."""
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        other.bind(("127.0.0.1", 0))
        other.listen()
        yield str(other.getsockname()[1])


def python(machine: Machine, *arguments: str, typed: str = "", **settings: str) -> Result:
    """Run Python in the project's environment."""
    database = {"DATABASE_URL": "sqlite:///start.db"}
    program = machine.project / ".venv" / "bin" / "python"
    return machine.run(program, *arguments, typed=typed, **database | settings)


def expect_sentence(result: Result, sentence: str) -> None:
    """Expect a failure that prints this and nothing else."""
    assert result.returncode == 1
    assert result.stdout == ""
    assert result.stderr == f"{sentence}\n"


def exits(machine: Machine, setup: str, call: str, cases: list[Any]) -> list[str]:
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
    result = python(machine, "-c", code, json.dumps(cases))
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
    clean: Machine, busy: str, arguments: list[str], environment: dict[str, str]
) -> None:
    result = python(clean, "-m", "app", *arguments, **{**environment, "PORT": busy})
    expect_sentence(result, f"PORT {busy} is in use. Stop the other process or set PORT.")


def test_make_run_ends_with_the_sentence(clean: Machine, busy: str) -> None:
    result = clean.make("run", PORT=busy, DATABASE_URL="sqlite:///start.db")
    assert result.returncode != 0
    sentence, last = result.stderr.splitlines()[-2:]
    assert sentence == f"PORT {busy} is in use. Stop the other process or set PORT."
    assert last.startswith("make: ***")


def test_a_host_or_port_that_cannot_be_used_is_one_sentence(clean: Machine) -> None:
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
    clean: Machine, host: str
) -> None:
    settings = {"HOST": host, "PORT": str(free_port())}
    command = "exec .venv/bin/python -m app"
    with clean.started(command, "Started worker-1", **settings) as printed:
        url = re.findall(r"http://\S+/docs", printed)[0]
        assert httpx2.get(url, timeout=60).status_code == 200


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


def test_a_fault_of_dotenv_is_named_with_its_line(clean: Machine, tmp_path: Path) -> None:
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
    head = "The service cannot start. Please fix these settings:"
    assert printed == [f"{head}\n  {fault}" for fault in DOTENV_FAULTS.values()]

    (clean.project / ".env").write_bytes(b"PORT 1\n")
    try:
        for program in ("app", "app.jobs.worker", "alembic"):
            result = python(clean, "-m", program, *["current"][: program == "alembic"])
            expect_sentence(result, f"{head}\n  .env, line 1: must be NAME=value")
    finally:
        (clean.project / ".env").unlink()


def test_an_unusable_database_is_one_sentence_without_the_password(clean: Machine) -> None:
    need_postgresql()
    server = urlsplit(POSTGRESQL)
    faults = {
        "postgresql://ann:hunter2@127.0.0.1:1/shop": "[Errno 111] Connect call failed",
        "postgresql://ann:hunter2@nowhere.invalid/shop": "[Errno -",
        server._replace(path="/no_such").geturl(): 'database "no_such" does not exist',
        server._replace(query="sslmode=never").geturl(): "`sslmode` parameter must be one of",
        "sqlite:////nowhere/app.db": "unable to open database file",
        f"sqlite:///{clean.project.parent / 'text'}": "file is not a database",
    }
    (clean.project.parent / "text").write_text("This is not a database. " * 100)
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


def test_a_migration_that_is_wrong_still_shows_where(clean: Machine) -> None:
    edit(
        clean.project / "migrations" / "versions" / "items_0001.py",
        "    op.create_table(",
        '    op.execute("SELECT nothing")\n    op.create_table(',
    )
    result = python(clean, "-m", "alembic", "upgrade", "heads", DATABASE_URL="sqlite:///wrong.db")
    assert result.returncode == 1
    assert "items_0001.py" in result.stderr


def test_the_newest_python_there_is_serves_when_the_one_of_the_project_is_missing(
    machine: Machine,
) -> None:
    assert (machine.project / ".python-version").read_text() == f"{MISSING}\n"
    first, second, *_ = machine.first_words.splitlines()
    assert first == "Installing uv into .uv/."
    assert re.fullmatch(rf"Python {MISSING} is not installed. Using /.*/python3.11.", second)
    assert "3.11" in check(machine.project / ".venv" / "bin" / "python", "-V", cwd=machine.project)
    # it is said once, and the environment stays as it is
    assert machine.run("sh", "scripts/uv.sh", "run", "python", "-c", "").stderr == ""


def test_the_newest_of_several_pythons_is_chosen(clean: Machine, tmp_path: Path) -> None:
    newest = next(filter(interpreter, ("3.14", "3.13", "3.12")), None)
    need(newest, "needs a Python newer than 3.11")
    (tmp_path / "python3").symlink_to(Path(interpreter(str(newest))).resolve())
    copy = copied(clean, tmp_path / "copy", PATH=f"{clean.environment['PATH']}:{tmp_path}")
    result = copy.run("sh", "scripts/uv.sh", "run", "--no-sync", "python", "-V")
    assert expect_success(result).startswith(f"Python {newest}.")
    assert result.stderr.startswith(f"Python {MISSING} is not installed. Using ")


def copied(machine: Machine, folder: Path, **settings: str) -> Machine:
    """Give a copy of the project without its environment, on a machine with other settings."""
    left = (".venv", ".git", ".coverage*", ".*_cache", "__pycache__")
    ignored = shutil.ignore_patterns(*left)
    shutil.copytree(machine.project, folder, ignore=ignored)
    return replace(machine, project=folder, environment=machine.environment | settings)


def programs(machine: Machine, folder: Path) -> str:
    """Give a PATH with all programs of the machine but Python."""
    folder.mkdir()
    for name in PROGRAMS:
        (folder / name).symlink_to(Path(machine.environment["PATH"]) / name)
    return str(folder)


def test_a_machine_without_python_is_one_sentence(clean: Machine, tmp_path: Path) -> None:
    copy = copied(clean, tmp_path / "copy", PATH=programs(clean, tmp_path / "bin"))
    shutil.rmtree(copy.project / ".uv")
    result = copy.make("lint")
    assert result.returncode != 0
    assert result.stderr.splitlines()[0] == "No Python was found: install Python 3.11 or newer."


def test_a_pyenv_without_the_version_and_a_failed_installation_leave_nothing_behind(
    clean: Machine, tmp_path: Path
) -> None:
    # pyenv's commands refuse to run where .python-version names what it has not got
    shims = tmp_path / "shims"
    shims.mkdir()
    for name in ("python3", "python3.11", "uv"):
        (shims / name).write_text(
            "#!/bin/sh\nif [ -e .python-version ]; then echo not installed >&2; exit 1; fi\n"
            f'exec "{Path(interpreter("3.11")).resolve()}" "$@"\n'
        )
        (shims / name).chmod(0o755)
    path = f"{shims}:{programs(clean, tmp_path / 'bin')}"
    copy = copied(clean, tmp_path / "copy", PATH=path)
    (copy.project / ".uv").rename(tmp_path / "uv")
    command = ("sh", "scripts/uv.sh", "run", "--no-sync", "python", "-V")

    index = {"PIP_INDEX_URL": "http://127.0.0.1:1/simple", "PIP_RETRIES": "0", "PIP_FIND_LINKS": ""}
    failed = copy.run(*command, **index)
    assert failed.returncode != 0
    last = "uv could not be installed into .uv/; the reason is above."
    assert failed.stderr.splitlines()[-1] == last
    assert not (copy.project / ".uv").exists()

    (tmp_path / "uv").rename(copy.project / ".uv")
    assert expect_success(copy.run(*command)).startswith("Python 3.11.")


def test_commits_are_checked_without_uv(clean: Machine) -> None:
    hook = clean.project / ".git" / "hooks" / "pre-commit"
    try:
        assert "pre-commit installed at" in expect_success(clean.make("hooks"))
        (clean.project / "app" / "untidy.py").write_text(UNTIDY)
        commit = ("git", "commit", "--all", "--message", "Add it")
        expect_success(clean.run("git", "add", "--all"))
        refused = clean.run(*commit)
        assert refused.returncode != 0
        assert "E501" in refused.stdout + refused.stderr
        (clean.project / "app" / "untidy.py").write_text('"""A number."""\n\nNUMBER: int = 1\n')
        accepted = clean.run(*commit)
        assert accepted.returncode == 0, accepted.stdout + accepted.stderr
        check("git", "reset", "--quiet", "--hard", "HEAD~1", cwd=clean.project)
    finally:
        hook.unlink(missing_ok=True)


README_SERVERS = {
    "make run": "Started worker-1",
    "make worker": "process_started",
    "make scheduler": "process_started",
}
"""Commands that go on until they are stopped, and what they print when they are ready."""

PLATFORMS = ("On Kubernetes", "On Heroku", "On AWS", "Run it in containers", "Update")
"""Sections whose commands other tests run on such a platform, or with a newer template."""


def readme_blocks(project: Path) -> list[list[str]]:
    """List the commands of each shell block of README.md, without comments."""
    readme = (project / "README.md").read_text("utf-8")
    return [
        [line.partition("  #")[0].strip() for line in block.splitlines()]
        for section in re.split(r"^##+ ", readme, flags=re.MULTILINE)
        if not section.startswith(PLATFORMS)
        for block in re.findall(r"```sh\n(.*?)```", section, re.DOTALL)
    ]


def test_every_command_of_the_readme_works(clean: Machine) -> None:
    need_redis()
    commands = [line for block in readme_blocks(clean.project)[:-1] for line in block]
    assert {"make run", "make test", "make lint", "make migrate", "make worker"} <= {*commands}
    settings = {"DATABASE_URL": "sqlite:///readme.db", "PORT": str(free_port())}
    # coverage takes long, and is demanded elsewhere
    settings |= {"PYTEST_ADDOPTS": "--no-cov -W 'ignore:Coverage disabled'"}
    try:
        for command in commands:
            if ready := README_SERVERS.get(command):
                with clean.started(command, ready, **settings, REDIS_URL=REDIS):
                    pass
            else:
                typed = "correct horse battery staple\n"
                expect_success(clean.run("sh", "-ec", command, typed=typed, **settings))
    finally:
        (clean.project / ".git" / "hooks" / "pre-commit").unlink(missing_ok=True)


def test_the_readme_says_how_to_deploy(clean: Machine, tmp_path: Path) -> None:
    """Run the block as it is, with an address, a secret and a port of this machine."""
    copy = copied(clean, tmp_path / "copy")
    script = "\n".join(readme_blocks(clean.project)[-1])
    port = str(free_port())
    for name, value in {
        "PORT": port,
        "DATABASE_URL": f"sqlite:///{tmp_path}/app.db",
        "AUTH_SECRETS": "x1y2" * 12 + "-no-two-are-alike",
        "ALLOWED_HOSTS": "127.0.0.1",
    }.items():
        script, times = re.subn(rf"\b{name}=\S+", f"{name}={value}", script)
        assert times == 1, name
    with copy.started(script.replace("python -m app", "exec python -m app"), "Started worker-1"):
        assert httpx2.get(f"http://127.0.0.1:{port}/readyz", timeout=60).status_code == 200
    assert not (copy.project / ".venv" / "bin" / "pytest").exists()


def test_make_help_lists_every_target_in_one_line(clean: Machine) -> None:
    targets = re.findall(r"^\.PHONY: (.*)$", (clean.project / "Makefile").read_text(), re.MULTILINE)
    lines = expect_success(clean.make("help")).splitlines()
    assert [line.split()[0] for line in lines] == targets
    assert all(len(line.split(maxsplit=1)) == 2 for line in lines)


def test_make_routes_lists_methods_paths_names_and_what_guards_them(clean: Machine) -> None:
    # nothing is connected to, so nothing need be there
    settings = {"DATABASE_URL": "postgresql://nowhere.invalid/app", "HOST": "nowhere.invalid"}
    lines = expect_success(clean.make("routes", **settings)).splitlines()
    routes = [line.split(maxsplit=3) for line in lines]
    assert routes[0] == ["METHODS", "PATH", "NAME", "SECURITY"]
    assert ["GET", "/livez", "livez"] in routes
    assert ["POST", "/api/v1/items", "create_item", "OAuth2PasswordBearer"] in routes
    assert ["GET", "/api/v1/users", "list_users", "OAuth2PasswordBearer admin"] in routes


def test_make_downgrade_undoes_your_newest_migration_when_its_data_may_go(clean: Machine) -> None:
    database = {"DATABASE_URL": f"sqlite:///{clean.project.parent}/downgrade.db"}
    nothing = clean.make("downgrade", "YES=1", **database)
    assert nothing.returncode != 0
    assert "there is no migration of your own to undo" in nothing.stderr

    expect_success(clean.make("migrate", **database))
    before = applied_migrations(clean, database)
    edit(clean.project / "app" / "items" / "models.py", "String(100)", "String(120)")
    expect_success(clean.make("migration", "m=lengthen names", **database))
    expect_success(clean.make("migrate", **database))
    applied = applied_migrations(clean, database)
    assert applied != before

    refused = clean.make("downgrade", **database)
    assert refused.returncode != 0
    assert "if that is meant: make downgrade YES=1" in refused.stderr
    assert applied_migrations(clean, database) == applied

    assert "lengthen names" in expect_success(clean.make("downgrade", "YES=1", **database))
    assert applied_migrations(clean, database) == before


def applied_migrations(machine: Machine, database: dict[str, str]) -> set[str]:
    """Name the migrations on which the database stands."""
    code = (
        "import sqlite3, sys; file = sqlite3.connect(sys.argv[1]);"
        " print(*(row[0] for row in file.execute('SELECT version_num FROM alembic_version')))"
    )
    return set(python(machine, "-c", code, database["DATABASE_URL"][10:]).stdout.split())


def test_make_clean_removes_what_commands_bring_and_nothing_else(
    clean: Machine, tmp_path: Path
) -> None:
    copy = copied(clean, tmp_path / "my copy")
    shutil.rmtree(copy.project / ".uv")
    files = (".env", "app.db", "app.db-wal", "uv.lock")
    for name in files:
        (copy.project / name).write_text("mine")
    before = snapshot(copy.project)
    brought = (
        ".venv/bin",
        ".uv/bin",
        ".ruff_cache",
        ".pytest_cache/v",
        "htmlcov",
        "app/__pycache__",
    )
    for name in brought:
        (copy.project / name).mkdir(parents=True, exist_ok=True)
        (copy.project / name / "file").write_text("")
    (copy.project / ".coverage").write_text("")
    expect_success(copy.make("clean"))
    expect_files(copy.project, before)


def test_the_command_of_fastapi_finds_the_service(clean: Machine) -> None:
    port = str(free_port())
    command = f"exec sh scripts/uv.sh run --with fastapi-cli python -m fastapi dev --port {port}"
    with clean.started(command, "Application startup complete"):
        assert httpx2.get(f"http://127.0.0.1:{port}/livez", timeout=60).status_code == 200


@pytest.mark.parametrize(
    "offline",
    [
        {"UV_OFFLINE": "1"},
        {"UV_DEFAULT_INDEX": "http://127.0.0.1:1/simple", "ALL_PROXY": "http://127.0.0.1:1"},
    ],
    ids=["offline", "index-unreachable"],
)
def test_what_is_installed_needs_no_network(clean: Machine, offline: dict[str, str]) -> None:
    for arguments in (["format"], ["migrate"], ["test", "ARGS=tests/test_health.py"]):
        expect_success(clean.make(*arguments, **offline, DATABASE_URL="sqlite:///offline.db"))


def test_a_folder_that_may_not_be_written_is_named_without_a_traceback(clean: Machine) -> None:
    need(os.geteuid() == 0 and shutil.which("setpriv"), "needs root, and setpriv")
    with TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        copy = copied(clean, folder / "project")
        shutil.rmtree(copy.project / ".uv")
        user = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--")
        system = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": "/nonexistent"}
        for target in ("run", "lint"):
            result = copy.run(*user, "make", target, **system)
            assert result.returncode != 0
            assert "ermission denied" in result.stdout + result.stderr
            assert "Traceback" not in result.stdout + result.stderr

"""The commands of a generated project work on every machine, and fail with one sentence."""

import subprocess
from pathlib import Path

import pytest

from tests.living import edit
from tests.projects import check, commit_all, run
from tests.questions import preset
from tests.rendering import write
from tests.services import install, use_environment

pytestmark = pytest.mark.slow

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

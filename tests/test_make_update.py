"""`make update` does what `copier update` does, refuses what would lose something, and says the rest."""

import subprocess
from pathlib import Path

import pytest

from tests.living import edit, expect_clean, make_edits, update
from tests.projects import (
    ENGINES,
    check,
    clone_template,
    commit_all,
    expect_files,
    generate,
    run,
    snapshot,
)
from tests.questions import Answers
from tests.rendering import write
from tests.services import database_for, install, migrate, need_postgresql, tool, use_environment
from tests.test_update import releases, write_first_release

__all__ = ["releases"]
pytestmark = pytest.mark.slow


def make_update(
    project: Path, arguments: str = "", **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run `make update` as its user does; the caller judges the exit status."""
    git = {"GIT_AUTHOR_NAME": "T", "GIT_COMMITTER_NAME": "T", "EMAIL": "t@example.com"}
    environment = {**use_environment(project), **git, **environment}
    return run("make", "--silent", "update", f"ARGS={arguments}", cwd=project, **environment)


def make_outdated(project: Path) -> subprocess.CompletedProcess[str]:
    """Run `make outdated` as its user does; the caller judges the exit status."""
    return run("make", "--silent", "outdated", cwd=project, **use_environment(project))


def switch(project: Path, arguments: str, **environment: str) -> str:
    """Change answers, which must succeed, and commit; return what was printed."""
    result = make_update(project, f"--vcs-ref=:current: {arguments}", **environment)
    assert result.returncode == 0, result.stdout + result.stderr
    commit_all(project, "Switch")
    return result.stdout


def test_it_does_what_copier_does(releases: Path, tmp_path: Path) -> None:
    project = write_first_release("cookiecutter", releases, tmp_path, {})
    edits = make_edits(project)
    twin = tmp_path / "twin"
    check("cp", "-r", str(project), str(twin), cwd=tmp_path)
    update(twin)

    result = make_update(project)

    assert result.returncode == 0, result.stdout + result.stderr
    assert "run make lint test" in result.stdout
    expect_clean(project, edits)
    expect_files(project, snapshot(twin))
    status = [
        check("git", "status", "--porcelain", cwd=each).splitlines() for each in (project, twin)
    ]
    assert status[0] == status[1]


def test_it_works_in_a_folder_of_a_repository(releases: Path, tmp_path: Path) -> None:
    repository = tmp_path / "repository"
    write_first_release("copier", releases, repository / "services", {})
    project = repository / "services" / "my-service"
    check("rm", "-rf", ".git", cwd=project)
    (repository / "README.md").write_text("All our services.\n")
    commit_all(repository)
    result = make_update(project)
    assert result.returncode == 0, result.stdout + result.stderr
    assert (project / "app" / "extra.py").exists()
    assert not (repository / "app").exists()


@pytest.mark.parametrize("engine", ENGINES)
def test_a_newer_template_is_reported(releases: Path, tmp_path: Path, engine: str) -> None:
    project = write_first_release(engine, releases, tmp_path, {})

    outdated = make_outdated(project)
    assert outdated.stdout == "Template version 0.2.0 is out. Take it: make update.\n"
    assert outdated.returncode != 0

    result = make_update(project)
    assert result.returncode == 0, result.stdout + result.stderr
    current = make_outdated(project)
    assert current.stdout == "There is no newer template.\n", current.stderr
    assert current.returncode == 0


def test_a_template_that_cannot_be_reached_is_not_taken_for_the_newest(
    releases: Path, tmp_path: Path
) -> None:
    project = write_first_release("copier", releases, tmp_path, {})
    releases.rename(tmp_path / "elsewhere")
    result = make_outdated(project)
    assert result.returncode != 0
    assert not result.stdout
    assert "git-tracked templates" in result.stderr
    assert "The template cannot be read: is _src_path in" in result.stderr


def no_repository(project: Path) -> str:
    check("rm", "-rf", ".git", cwd=project)
    return "An update needs your work in git"


def uncommitted_work(project: Path) -> str:
    edit(project / "README.md", "## Test\n", "## Try\n")
    return "Commit or stash your work first:\n M README.md\n"


def no_answers(project: Path) -> str:
    (project / ".copier-answers.yml").unlink()
    commit_all(project)
    return ".copier-answers.yml is missing"


@pytest.mark.parametrize("spoil", [no_repository, uncommitted_work, no_answers])
def test_a_project_that_is_not_ready_is_refused(
    releases: Path, tmp_path: Path, spoil: object
) -> None:
    assert callable(spoil)
    project = write_first_release("copier", releases, tmp_path, {})
    sentence = spoil(project)
    expect_refusal(project, "", sentence)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ("--data crs=false", "There is no option crs. The options are: "),
        ("--data=crs=false", "There is no option crs. The options are: "),
        ("--data cors=perhaps", "cors: Answer true or false"),
        ("--data ci=jenkins", "copier could not do it"),
        ("--data database=none", "jwt_auth: It needs a database."),
        ("--vcs-ref v0.1.0", "Downgrades are not supported"),
        ("--vcs-ref v9", "copier could not do it"),
    ],
)
def test_what_cannot_be_done_is_refused(
    releases: Path, tmp_path: Path, arguments: str, sentence: str
) -> None:
    project = generate("copier", releases, tmp_path, {})
    commit_all(project)
    expect_refusal(project, arguments, sentence)


def expect_refusal(project: Path, arguments: str, sentence: str) -> None:
    """Expect a sentence, a status other than 0, and no change of any file."""
    before = snapshot(project)
    result = make_update(project, arguments)
    assert result.returncode != 0
    assert sentence in " ".join(result.stdout.split(" ")) + result.stderr
    assert "Nothing was changed." in result.stdout
    expect_files(project, before)


def test_lines_that_both_sides_changed_end_it_with_a_failure(
    releases: Path, tmp_path: Path
) -> None:
    project = write_first_release("copier", releases, tmp_path, {})
    edit(project / "app" / "health.py", "Answer, to show", "Say, to show")
    commit_all(project, "Edit")
    result = make_update(project)
    assert result.returncode != 0
    assert "Mend these files:\n  app/health.py\n" in result.stdout


def test_files_with_edits_go_only_when_that_is_wanted(template: Path, tmp_path: Path) -> None:
    project = write(template, tmp_path, {})
    edit(project / "app" / "cors.py", "Answer preflight requests", "Answer browsers")
    commit_all(project)
    expect_refusal(project, "--data cors=false", "only git keeps:\n  app/cors.py\n")

    assert "cors: True -> False" in switch(project, "--data cors=false", YES="1")
    assert not (project / "app" / "cors.py").exists()
    assert not (project / "tests" / "test_cors.py").exists()


@pytest.mark.parametrize(
    ("database", "switches"),
    [
        ("sqlite", ["jwt_auth=true", "jwt_auth=false", "jwt_auth=true", "jwt_auth=false"]),
        ("postgresql", ["jwt_auth=true", "jwt_auth=false"]),
    ],
)
def test_databases_follow_when_users_come_and_go(
    template: Path, tmp_path: Path, database: str, switches: list[str]
) -> None:
    if database == "postgresql":
        need_postgresql()
    answers: Answers = {"database": database, "jwt_auth": False}
    project = write(template, tmp_path, answers)
    install(project)
    with database_for(project, answers) as settings:
        store(project, settings)
        commit_all(project)
        for number, answer in enumerate(switches):
            printed = switch(project, f"--data {answer}")
            # the migrations that come first are the template's own
            assert ("Read it, then run it: make migrate." in printed) is (number > 0)
            install(project)
            migrate(project, settings)
            tool(project, "alembic", "check", **settings)
            commit_all(project, "Migrate")
    tool(project, "ruff", "check")
    tool(project, "ruff", "format", "--check")
    tool(project, "mypy")
    tool(project, "pytest", "-q", "tests/database", "tests/items")


def store(project: Path, settings: dict[str, str]) -> None:
    """Put an item into the database."""
    code = """
import asyncio
from app.database.engine import create_engine
from app.database.session import open_session
from app.items.models import Item
from app.settings import Settings


async def store():
    engine = create_engine(Settings())
    async with open_session(engine) as session:
        session.add(Item(name="Lamp", description="", quantity=1))
        await session.commit()
    await engine.dispose()


asyncio.run(store())
"""
    tool(project, "python", "-c", code, **settings)


def test_the_template_is_the_one_that_the_project_remembers(tmp_path: Path) -> None:
    template = clone_template(tmp_path / "template")
    project = write(template, tmp_path, {})
    commit_all(project)
    elsewhere = tmp_path / "elsewhere"
    template.rename(elsewhere)
    expect_refusal(project, "", "copier could not do it")

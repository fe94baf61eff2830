"""A service that its owner has edited works after each option has changed: lint, tests, migrations."""

from pathlib import Path

import pytest

from tests.edited import CHANGES, expect_clean, keeps_docker, label, make_edits
from tests.projects import commit_all
from tests.questions import Answers
from tests.rendering import write
from tests.services import install, tool
from tests.updates import update_of

pytestmark = [pytest.mark.slow, pytest.mark.proof]


@pytest.mark.parametrize(
    ("before", "after"), CHANGES, ids=[label(before, after) for before, after in CHANGES]
)
def test_an_edited_service_passes_its_checks_after_an_option_has_changed(
    template: Path, tmp_path: Path, before: Answers, after: Answers
) -> None:
    project = write(template, tmp_path, before)
    commit_all(project)
    edits = make_edits(project, docker=keeps_docker(before, after))
    pairs = [f"{name}={answer}" for name, answer in after.items() if before.get(name) != answer]

    update_of(project, *pairs, YES="1")

    commit_all(project, "Update")
    expect_clean(project, edits)
    install(project)
    tool(project, "ruff", "check")
    tool(project, "ruff", "format", "--check")
    tool(project, "mypy")
    tool(project, "deptry", ".")
    if (project / "migrations").exists():
        database = {"DATABASE_URL": f"sqlite+aiosqlite:///{tmp_path}/app.db"}
        tool(project, "alembic", "upgrade", "heads", **database)
        tool(project, "alembic", "check", **database)
    tool(project, "pytest", "-q")

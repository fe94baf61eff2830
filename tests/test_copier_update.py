"""Plain `copier update` works, too, on projects of both engines."""

from pathlib import Path

import pytest

from tests.edited import edit, expect_clean, make_edits
from tests.projects import (
    BIN,
    ENGINES,
    change_answers,
    check,
    commit_all,
    expect_files,
    read_answers,
    run,
    snapshot,
    take_newest,
)
from tests.updates import expect_second_release, write_first_release

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("engine", ENGINES)
def test_a_new_release_arrives_and_every_edit_stays(
    releases: Path, tmp_path: Path, engine: str
) -> None:
    project = write_first_release(engine, releases, tmp_path, {})
    edits = make_edits(project)
    moved = tmp_path / "elsewhere" / "deep"
    moved.parent.mkdir()
    project.rename(moved)

    take_newest(moved)

    expect_clean(moved, edits)
    expect_second_release(moved)


def test_a_dirty_project_is_refused_and_left_alone(releases: Path, tmp_path: Path) -> None:
    project = write_first_release("copier", releases, tmp_path, {})
    edit(project / "README.md", "## Test\n", "## Try\n")
    before = snapshot(project)
    result = run(BIN / "copier", "update", "--defaults", cwd=project)
    assert result.returncode != 0
    assert "commit or stash" in result.stderr
    expect_files(project, before)


def test_lines_that_both_sides_changed_are_marked_with_both_versions(
    releases: Path, tmp_path: Path
) -> None:
    project = write_first_release("copier", releases, tmp_path, {})
    edit(project / "app" / "health.py", "Answer, to show", "Say, to show")
    commit_all(project, "Edit")
    take_newest(project)
    text = (project / "app" / "health.py").read_text("utf-8")
    assert "<<<<<<< before updating" in text
    assert "Say, to show" in text
    assert "Reply, to show" in text


def test_a_database_that_is_enabled_later_does_not_enable_users(
    template: Path, tmp_path: Path
) -> None:
    command = ["copier", "copy", "--defaults", "--data", "database=none", str(template), "service"]
    check(*command, cwd=tmp_path)
    project = tmp_path / "service"
    commit_all(project)

    change_answers(project, database="postgresql")

    answers = read_answers(project)
    assert answers["database"] == "postgresql"
    assert answers["jwt_auth"] is False
    assert answers["caching"] is False
    assert (project / "app" / "items").exists()
    assert not (project / "app" / "users").exists()

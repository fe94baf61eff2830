"""Projects of every landed version take the newest one by plain `copier update`, and stay as they were."""

from pathlib import Path

import copier
import pytest

from hooks.engine import excluded_patterns
from tests.projects import (
    check,
    clone_history,
    commit_all,
    expect_no_conflict,
    read_answers,
    snapshot,
    take_newest,
)
from tests.questions import Answers
from tests.rendering import excludes

pytestmark = pytest.mark.slow

VERSIONS = ["1f13819", "bc77ddf", "06f7c37", "2c7180c", "45274bd"]
ANSWERS = ["defaults", "all yes", "all no"]
EACH = [
    pytest.param(version, which, marks=[] if which == "defaults" else pytest.mark.proof)
    for version in VERSIONS
    for which in ANSWERS
]


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give all versions, and this working tree as the newest release."""
    return clone_history(tmp_path_factory.mktemp("history"), "v9.0.0")


def write(template: Path, version: str, which: str, project: Path) -> Answers:
    """Write a project from a version; return its answers, those that are computed included."""
    data: Answers = {}
    if which != "defaults":
        asked = write(template, version, "defaults", project.with_name("defaults"))
        data = {name: which == "all yes" for name in asked if isinstance(asked[name], bool)}
        if which == "all no" and "database" in asked:
            data["database"] = "none"
    worker = copier.run_copy(
        str(template), project, data=data, defaults=True, quiet=True, vcs_ref=version
    )
    known = {*read_answers(project), "redis"}
    return {name: answer for name, answer in worker.answers.combined.items() if name in known}


@pytest.mark.parametrize(("version", "which"), EACH)
def test_the_list_of_left_out_paths_keeps_what_a_version_wrote(
    template: Path, tmp_path: Path, version: str, which: str
) -> None:
    answers = write(template, version, which, tmp_path / "service")

    patterns = list(excluded_patterns(answers))

    written = snapshot(tmp_path / "service")
    assert written
    assert not [name for name in written if any(excludes(each, name) for each in patterns)]


@pytest.mark.parametrize(("version", "which"), EACH)
def test_a_project_of_a_landed_version_keeps_its_answers(
    template: Path, tmp_path: Path, version: str, which: str
) -> None:
    project = tmp_path / "service"
    write(template, version, which, project)
    expect_the_same_answers(project)


def test_a_project_of_cookiecutter_keeps_its_answers(template: Path, tmp_path: Path) -> None:
    old = tmp_path / "template"
    check("git", "worktree", "add", "--quiet", str(old), "bc77ddf", cwd=template)
    check("cookiecutter", "--no-input", "--default-config", str(old), cwd=tmp_path)
    expect_the_same_answers(tmp_path / "my-service")


def expect_the_same_answers(project: Path) -> None:
    """Update a project; expect its answers, and of what it was never asked, neither yes nor a database."""
    commit_all(project)
    before = read_answers(project)

    take_newest(project)

    expect_no_conflict(project)
    after = read_answers(project)
    assert after.pop("_commit") == "v9.0.0"
    del before["_commit"]
    new = {name: answer for name, answer in after.items() if name not in before}
    assert before.items() <= after.items()
    assert True not in new.values()
    assert new.get("database", "none") == "none"
    assert (project / "app" / "database").exists() == (after["database"] != "none")

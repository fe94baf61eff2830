"""A question that CONTRIBUTING.md's example renames keeps its answer; only that update needs trust."""

import re
from pathlib import Path

import pytest
import yaml

from tests.projects import (
    BIN,
    ENGINES,
    ask,
    check,
    clone_template,
    commit_all,
    expect_files,
    run,
    snapshot,
)
from tests.questions import REPOSITORY, Answers
from tests.test_make_update import make_update

pytestmark = pytest.mark.slow

OLD, NEW = "author_email", "contact_email"
ADDRESS = "ada@example.com"
UNTRUSTED = "Template uses potentially unsafe feature: migrations."


@pytest.fixture
def template(tmp_path: Path) -> Path:
    """Give a template with one release."""
    return clone_template(tmp_path / "template")


def start(engine: str, template: Path, parent: Path, answers: Answers) -> Path:
    """Write a project from the newest release, with the engine's own command, and commit it."""
    parent.mkdir()
    result = ask(engine, template, parent, answers)
    assert result.returncode == 0, result.stdout + result.stderr
    commit_all(parent / "service", "Start")
    return parent / "service"


def rename_the_question(template: Path) -> None:
    """Follow the example: the new name everywhere, and the migration."""
    for name in check("git", "grep", "--name-only", OLD, cwd=template).splitlines():
        if name.startswith(("copier.yml", "template/", "tests/")):
            file = template / name
            file.write_text(file.read_text("utf-8").replace(OLD, NEW), "utf-8")
    guide = (REPOSITORY / "CONTRIBUTING.md").read_text("utf-8")
    (example,) = re.findall(
        r"^```yaml\n(# author_email is .*?)^```$", guide, re.DOTALL | re.MULTILINE
    )
    with (template / "copier.yml").open("a", encoding="utf-8") as questions:
        questions.write(f"\n{example}")
    for script in ("sync_cookiecutter.py", "sync_readme.py"):
        check("python", f"scripts/{script}", cwd=template)
    tag(template, "v0.2.0")


def tag(template: Path, version: str) -> None:
    """Release what is there, with a trace that an update brings along."""
    (template / "template" / "RELEASE").write_text(f"{version}\n", "utf-8")
    commit_all(template, version)
    check("git", "tag", version, cwd=template)


def expect_update(project: Path, version: str) -> None:
    """Expect the release, and the answer under its new name alone."""
    assert (project / "RELEASE").read_text("utf-8") == f"{version}\n"
    answers = yaml.safe_load((project / ".copier-answers.yml").read_text("utf-8"))
    assert answers["_commit"] == version
    assert answers[NEW] == ADDRESS
    assert OLD not in answers
    # nothing but the name and the release has changed
    changed = check("git", "status", "--porcelain", cwd=project)
    assert changed == " M .copier-answers.yml\n?? RELEASE\n"
    assert f'email = "{ADDRESS}"' in (project / "pyproject.toml").read_text("utf-8")


@pytest.mark.parametrize("engine", ENGINES)
def test_the_answer_moves_to_the_new_name_when_the_user_trusts_the_template(
    template: Path, tmp_path: Path, engine: str
) -> None:
    project = start(engine, template, tmp_path / "old", {OLD: ADDRESS})
    rename_the_question(template)

    before = snapshot(project)
    result = run(BIN / "copier", "update", "--defaults", cwd=project)
    assert result.returncode != 0
    assert UNTRUSTED in result.stderr
    assert "--trust" in result.stderr
    expect_files(project, before)
    assert check("git", "status", "--porcelain", cwd=project) == ""

    check(BIN / "copier", "update", "--defaults", "--trust", cwd=project)
    expect_update(project, "v0.2.0")


def test_a_project_that_comes_late_crosses_the_rename_too(template: Path, tmp_path: Path) -> None:
    project = start("copier", template, tmp_path / "old", {OLD: ADDRESS})
    rename_the_question(template)
    tag(template, "v0.3.0")
    assert UNTRUSTED in run(BIN / "copier", "update", "--defaults", cwd=project).stderr
    check(BIN / "copier", "update", "--defaults", "--trust", cwd=project)
    expect_update(project, "v0.3.0")


@pytest.mark.parametrize("engine", ENGINES)
def test_fresh_projects_and_their_updates_need_no_trust(
    template: Path, tmp_path: Path, engine: str
) -> None:
    rename_the_question(template)
    project = start(engine, template, tmp_path / "new", {NEW: ADDRESS})
    answers = yaml.safe_load((project / ".copier-answers.yml").read_text("utf-8"))
    assert (answers["_commit"], answers[NEW]) == ("v0.2.0", ADDRESS)

    tag(template, "v0.3.0")
    check(BIN / "copier", "update", "--defaults", cwd=project)
    answers = yaml.safe_load((project / ".copier-answers.yml").read_text("utf-8"))
    assert (answers["_commit"], answers[NEW]) == ("v0.3.0", ADDRESS)


def test_make_update_takes_the_trust_along(template: Path, tmp_path: Path) -> None:
    project = start("copier", template, tmp_path / "old", {OLD: ADDRESS})
    rename_the_question(template)

    before = snapshot(project)
    result = make_update(project)
    assert result.returncode != 0
    assert UNTRUSTED in result.stderr
    assert "Nothing was changed." in result.stdout
    expect_files(project, before)

    result = make_update(project, "--trust")
    assert result.returncode == 0, result.stdout + result.stderr
    assert f"{NEW}: None -> {ADDRESS}\n" in result.stdout
    expect_update(project, "v0.2.0")
    commit_all(project, "Update")

    tag(template, "v0.3.0")
    result = make_update(project)
    assert result.returncode == 0, result.stdout + result.stderr

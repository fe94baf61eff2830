"""A question that is renamed as CONTRIBUTING.md shows keeps its answer, by plain `copier update`."""

import re
import shutil
from pathlib import Path

import copier
import pytest

from tests.edited import edit
from tests.projects import (
    BIN,
    ENGINES,
    ask,
    check,
    clone_template,
    commit_all,
    expect_no_conflict,
    read_answers,
    take_newest,
)
from tests.questions import REPOSITORY, Answers

pytestmark = pytest.mark.slow

OLD, NEW = "author_email", "contact_email"
ADDRESS = "ada@example.com"


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
    """Follow the example: the new name everywhere, and a default that reads the old one."""
    for name in check("git", "grep", "--name-only", OLD, cwd=template).splitlines():
        if name.startswith(("copier.yml", "answers.jinja", "template/")):
            file = template / name
            file.write_text(file.read_text("utf-8").replace(OLD, NEW), "utf-8")
    guide = (REPOSITORY / "CONTRIBUTING.md").read_text("utf-8")
    (default,) = re.findall(r"^( +# author_email until .*\n +default: .*\n)", guide, re.MULTILINE)
    edit(
        template / "copier.yml",
        'e-mail address? May be empty.\n  default: ""\n',
        f"e-mail address? May be empty.\n{default}",
    )
    sync(template)
    tag(template, "v0.2.0")


def rename_a_feature(template: Path) -> None:
    """Follow the example for a feature: `cors` becomes `cross_origin`."""
    for file in [template / "copier.yml", *(template / "template").rglob("*")]:
        if file.is_file():
            lines = file.read_text("utf-8").splitlines(keepends=True)
            text = "".join(
                re.sub(r"\bcors\b(?!\.py)", "cross_origin", line)
                if file.name == "copier.yml" or line.lstrip().startswith("# {%")
                else line
                for line in lines
            )
            file.write_text(text, "utf-8")
    edit(
        template / "copier.yml",
        "\"{{ 'cross_origin' in features }}\"",
        "\"{{ cors | default('cross_origin' in features) }}\"",
    )
    edit(
        template / "copier.yml",
        "    # {% if not cross_origin %}\n",
        "    # {% set cross_origin = cross_origin | default(cors) %}\n"
        "    # {% if not cross_origin %}\n",
    )
    sync(template)
    tag(template, "v0.2.0")


def sync(template: Path) -> None:
    """Run `make sync`."""
    for script in ("sync_cookiecutter.py", "sync_readme.py"):
        check("python", f"scripts/{script}", cwd=template)


def tag(template: Path, version: str) -> None:
    """Release what is there, with a trace that an update brings along."""
    (template / "template" / "RELEASE").write_text(f"{version}\n", "utf-8")
    commit_all(template, version)
    check("git", "tag", version, cwd=template)


def expect_update(project: Path, version: str) -> None:
    """Expect the release, and the answer under its new name alone."""
    assert (project / "RELEASE").read_text("utf-8") == f"{version}\n"
    answers = read_answers(project)
    assert answers["_commit"] == version
    assert answers[NEW] == ADDRESS
    assert OLD not in answers
    # nothing but the name and the release has changed
    changed = check("git", "status", "--porcelain", cwd=project)
    assert changed == " M .copier-answers.yml\n?? RELEASE\n"
    assert f'email = "{ADDRESS}"' in (project / "pyproject.toml").read_text("utf-8")


@pytest.mark.parametrize(
    "engine", [pytest.param("copier", marks=pytest.mark.proof), "cookiecutter"]
)
def test_the_answer_moves_to_the_new_name(template: Path, tmp_path: Path, engine: str) -> None:
    project = start(engine, template, tmp_path / "old", {OLD: ADDRESS})
    rename_the_question(template)

    check(BIN / "copier", "update", "--defaults", cwd=project)

    expect_update(project, "v0.2.0")
    # the next release finds it there
    commit_all(project)
    tag(template, "v0.3.0")
    take_newest(project)
    assert read_answers(project)[NEW] == ADDRESS


def test_a_project_that_skips_the_release_of_the_rename_keeps_the_answer(
    template: Path, tmp_path: Path
) -> None:
    project = start("copier", template, tmp_path / "old", {OLD: ADDRESS})
    rename_the_question(template)
    tag(template, "v0.3.0")

    take_newest(project)

    expect_update(project, "v0.3.0")


def test_a_project_that_is_written_from_its_answers_alone_keeps_the_answer(
    template: Path, tmp_path: Path
) -> None:
    project = start("copier", template, tmp_path / "old", {OLD: ADDRESS})
    rename_the_question(template)
    (tmp_path / "new").mkdir()
    shutil.copy(project / ".copier-answers.yml", tmp_path / "new")

    copier.run_recopy(tmp_path / "new", defaults=True, overwrite=True, quiet=True)

    answers = read_answers(tmp_path / "new")
    assert answers[NEW] == ADDRESS
    assert OLD not in answers


@pytest.mark.parametrize("engine", ENGINES)
def test_fresh_projects_have_the_plain_default(template: Path, tmp_path: Path, engine: str) -> None:
    rename_the_question(template)
    assert f'"{NEW}": "",' in (template / "cookiecutter.json").read_text("utf-8")
    project = start(engine, template, tmp_path / "new", {})
    assert read_answers(project)[NEW] == ""


@pytest.mark.parametrize("answer", [True, pytest.param(False, marks=pytest.mark.proof)])
def test_a_feature_keeps_its_answer_and_its_edits(
    template: Path, tmp_path: Path, *, answer: bool
) -> None:
    project = start("copier", template, tmp_path / "old", {"cors": answer})
    if answer:
        edit(project / "app" / "cors.py", "import", "# ours\nimport")
        commit_all(project)
    rename_a_feature(template)

    take_newest(project)

    expect_no_conflict(project)
    assert read_answers(project)["cross_origin"] is answer
    changed = check("git", "status", "--porcelain", cwd=project)
    assert changed == " M .copier-answers.yml\n?? RELEASE\n"

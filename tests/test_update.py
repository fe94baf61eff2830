"""`copier update` brings a project to a newer template, or to other answers, and keeps edits."""

from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest
import yaml

from hooks.engine import find_faults
from tests.living import (
    SWITCHES,
    edit,
    expect_clean,
    keeps_docker,
    label,
    make_edits,
    row,
    update,
)
from tests.projects import (
    BIN,
    ENGINES,
    check,
    clone_template,
    commit_all,
    expect_files,
    generate,
    run,
    snapshot,
)
from tests.questions import CHOICES, REPOSITORY, Answers, all_defaults, default_answers
from tests.rendering import render, write


@pytest.fixture
def releases(tmp_path: Path) -> Path:
    """Give a template with two releases."""
    return release_again(clone_template(tmp_path / "template"))


def release_again(template: Path) -> Path:
    """Add the release v0.2.0 to a template: it changes a file of every kind."""
    tree = template / "template"
    edit(tree / "app" / "health.py", "Answer, to show", "Reply, to show")
    edit(tree / "Makefile", "Run the tests with coverage", "Run all the tests with coverage")
    edit(tree / "README.md", "rest comes by itself", "rest follows by itself")
    edit(tree / "pyproject.toml", '"structlog>=26.1,<27"', '"structlog>=26.1,<28"')
    (tree / "app" / "extra.py").write_text('"""New in this release."""\n', "utf-8")
    (tree / ".editorconfig").unlink()
    commit_all(template, "Second release")
    check("git", "tag", "v0.2.0", cwd=template)
    return template


@pytest.fixture
def record(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """Compare a row of the table in docs/updating.md, or write it: `pytest --write-docs -n 0`."""
    page = REPOSITORY / "docs" / "updating.md"

    def record(label: str, row: str) -> None:
        line = f"| {label} | {row} |\n"
        lines = page.read_text("utf-8").splitlines(keepends=True)
        if request.config.getoption("--write-docs"):
            others = [each for each in lines if not each.startswith(f"| {label} | ")]
            others.insert(others.index("<!-- end of the switches -->\n"), line)
            page.write_text("".join(others), "utf-8")
        else:
            assert line in lines, "docs/updating.md is stale: make switches"

    return record


def write_first_release(engine: str, template: Path, parent: Path, answers: Answers) -> Path:
    """Write a project from v0.1.0 and commit it."""
    check("git", "checkout", "--quiet", "v0.1.0", cwd=template)
    project = generate(engine, template, parent, answers)
    check("git", "checkout", "--quiet", "-", cwd=template)
    commit_all(project, "Start")
    return project


@pytest.mark.parametrize("engine", ENGINES)
def test_a_new_release_arrives_and_every_edit_stays(
    releases: Path, tmp_path: Path, engine: str
) -> None:
    project = write_first_release(engine, releases, tmp_path, {})
    edits = make_edits(project)

    update(project)

    expect_clean(project, edits)
    assert "Reply, to show" in (project / "app" / "health.py").read_text("utf-8")
    assert "Run all the tests" in (project / "Makefile").read_text("utf-8")
    assert "rest follows by itself" in (project / "README.md").read_text("utf-8")
    assert '"structlog>=26.1,<28"' in (project / "pyproject.toml").read_text("utf-8")
    assert (project / "app" / "extra.py").exists()
    assert not (project / ".editorconfig").exists()
    answers = yaml.safe_load((project / ".copier-answers.yml").read_text("utf-8"))
    assert answers["_commit"] == "v0.2.0"


@pytest.mark.slow
@pytest.mark.parametrize(("before", "after"), SWITCHES)
def test_a_switch_turns_and_turns_back_on_a_project_that_has_been_edited(
    template: Path,
    tmp_path: Path,
    before: Answers,
    after: Answers,
    record: Callable[[str, str], None],
) -> None:
    # both engines write the same, the answers that an update reads included
    project = write(template, tmp_path, before)
    commit_all(project, "Start")
    edits = make_edits(project, docker=keeps_docker(before, after))
    edited = snapshot(project)

    update(project, **after)
    expect_clean(project, edits)
    record(label(before, after), row(edited, snapshot(project), edits))
    check("ruff", "check", "--no-cache", cwd=project)
    commit_all(project, "Switch")
    update(project, **before)
    expect_clean(project, edits)

    expect_files(project, edited)


@pytest.mark.slow
@pytest.mark.parametrize(("before", "after"), SWITCHES)
def test_a_switched_project_is_the_same_as_a_fresh_one(
    template: Path, tmp_path: Path, before: Answers, after: Answers
) -> None:
    project = write(template, tmp_path, before)
    commit_all(project, "Start")
    update(project, **after)

    expect_files(project, render(template, after))


@pytest.mark.slow
def test_a_walk_of_twenty_switches_arrives_where_a_fresh_project_starts(
    template: Path, tmp_path: Path
) -> None:
    random = Random("groundwork")  # noqa: S311  # the same walk each time
    answers = default_answers()
    project = write(template, tmp_path, {})
    commit_all(project, "Start")
    for step in range(20):
        accepted = [
            {**answers, name: value}
            for name, values in CHOICES.items()
            for value in values
            if value != answers[name]
            and not any(find_faults({**all_defaults(), **answers, name: value}))
        ]
        answers = random.choice(accepted)
        update(project, **answers)
        expect_files(project, render(template, answers), f"step {step}: {answers}")
        commit_all(project, f"Step {step}")


def test_own_containers_stay_when_a_switch_brings_others(template: Path, tmp_path: Path) -> None:
    project = generate("copier", template, tmp_path, {})
    own = "  # your own below\n  mail:\n    image: axllent/mailpit\n"
    services, volumes = (project / "compose.yaml").read_text("utf-8").split("\nvolumes:\n")
    services = services.replace("  # your own below\n", own)
    (project / "compose.yaml").write_text(f"{services}\nvolumes:\n{volumes}  mail:\n", "utf-8")
    commit_all(project, "Add a container")
    update(project, background_tasks=True)
    stack = yaml.safe_load((project / "compose.yaml").read_text("utf-8"))
    assert {"mail", "postgres", "redis", "worker"} <= set(stack["services"])
    assert set(stack["volumes"]) == {"mail", "postgres", "redis"}


def test_a_project_moves_with_its_answers_to_another_folder(releases: Path, tmp_path: Path) -> None:
    project = write_first_release("cookiecutter", releases, tmp_path, {})
    moved = tmp_path / "elsewhere" / "deep"
    moved.parent.mkdir()
    project.rename(moved)
    update(moved)
    assert (moved / "app" / "extra.py").exists()


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
    update(project)
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

    update(project, database="postgresql")

    answers = yaml.safe_load((project / ".copier-answers.yml").read_text("utf-8"))
    assert answers["database"] == "postgresql"
    assert answers["jwt_auth"] is False
    assert answers["caching"] is False
    assert (project / "app" / "items").exists()
    assert not (project / "app" / "users").exists()


STORED: list[Answers] = [{}, {"database": "none", "jwt_auth": False, "ci": "gitlab"}]


@pytest.mark.slow
@pytest.mark.parametrize("answers", STORED, ids=["defaults", "no_database"])
@pytest.mark.parametrize("commit", [pytest.param("06f7c37", marks=pytest.mark.proof), "2c7180c"])
def test_a_project_of_an_earlier_commit_keeps_its_answers(
    tmp_path: Path, commit: str, answers: Answers
) -> None:
    shallow = check("git", "rev-parse", "--is-shallow-repository", cwd=REPOSITORY).strip()
    if shallow == "true":
        pytest.skip("this clone has no history: git fetch --unshallow")
    history = tmp_path / "template"
    check("git", "clone", "--quiet", str(REPOSITORY), str(history), cwd=tmp_path)
    check("git", "checkout", "--quiet", commit, cwd=history)
    project = tmp_path / "service"
    data = [f"--data={name}={value}" for name, value in answers.items()]
    command = ["copier", "copy", "--defaults", "--quiet", "--vcs-ref", "HEAD"]
    check(*command, *data, str(history), str(project), cwd=tmp_path)
    commit_all(project)
    before = yaml.safe_load((project / ".copier-answers.yml").read_text("utf-8"))
    check("git", "checkout", "--quiet", "-", cwd=history)
    check("git", "rm", "-rq", ".", cwd=history)
    clone_template(history, tag="v0.2.0")

    update(project)

    after = yaml.safe_load((project / ".copier-answers.yml").read_text("utf-8"))
    assert after["_commit"] == "v0.2.0"
    del before["_commit"]
    assert before.items() <= after.items()
    assert not [name for name in after.keys() - before.keys() if after[name] is True]
    for name, (_, content) in snapshot(project).items():
        assert b"<<<<<<< " not in content, name

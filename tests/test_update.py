"""`copier update` brings a project to a newer template, or to other answers, and keeps edits."""

import re
from pathlib import Path

import copier
import pytest
import yaml

from tests.projects import (
    BIN,
    ENGINES,
    check,
    clone_template,
    commit_all,
    generate,
    run,
    snapshot,
)
from tests.questions import Answers
from tests.services import add_own_router

CONFLICT = re.compile(rb"^(<<<<<<<|>>>>>>>) ", re.MULTILINE)


@pytest.fixture
def releases(tmp_path: Path) -> Path:
    """Give a template with two releases: v0.2.0 changes a file of every kind."""
    template = clone_template(tmp_path / "template")
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


def edit(file: Path, old: str, new: str) -> None:
    """Replace a text that must be there."""
    text = file.read_text("utf-8")
    assert old in text, f"{file} has no {old!r}"
    file.write_text(text.replace(old, new, 1), "utf-8")


def write_first_release(engine: str, template: Path, parent: Path, answers: Answers) -> Path:
    """Write a project from v0.1.0 and commit it."""
    check("git", "checkout", "--quiet", "v0.1.0", cwd=template)
    project = generate(engine, template, parent, answers)
    check("git", "checkout", "--quiet", "-", cwd=template)
    commit_all(project, "Start")
    return project


def live_in(project: Path) -> dict[str, str]:
    """Edit a project as its owner would; return a text of each edit by file."""
    add_own_router(project)
    edit(project / "README.md", "## Test\n", "Ask the shop team.\n\n## Test\n")
    edit(
        project / "Makefile", "# your own below\n", "# your own below\n\nseed:\n\tpython seed.py\n"
    )
    edit(
        project / "pyproject.toml",
        "    # your own below\n",
        '    # your own below\n    "boltons>=25,<26",\n',
    )
    edit(
        project / "app" / "settings.py",
        "    # your own below\n",
        "    # your own below\n    shop_name: str = 'Corner'\n",
    )
    edit(project / ".env.example", "# your own below", "# your own below\nSHOP_NAME=Corner")
    edit(project / "app" / "health.py", "time_limit: float = 2.0", "time_limit: float = 5.0")
    (project / ".pre-commit-config.yaml").unlink()
    items = project / "app" / "items" / "service.py"
    own = {}
    if items.exists():
        edit(items, "What can be done with items.", "What the shop does with items.")
        own["app/items/service.py"] = "What the shop does with items."
    commit_all(project, "Live in it")
    return own | {
        "app/notes.py": "class Note(BaseModel)",
        "app/main.py": "app.include_router(notes.router)",
        "README.md": "Ask the shop team.",
        "Makefile": "python seed.py",
        "pyproject.toml": "boltons>=25,<26",
        "app/settings.py": "shop_name: str = 'Corner'",
        ".env.example": "SHOP_NAME=Corner",
        "app/health.py": "time_limit: float = 5.0",
    }


def update(project: Path, **data: object) -> None:
    """Run the update of the README: to the newest release, or at the current one with new answers."""
    copier.run_update(
        project,
        data=data,
        defaults=True,
        overwrite=True,
        quiet=True,
        vcs_ref=copier.VcsRef.CURRENT if data else None,
    )


def expect_clean(project: Path, edits: dict[str, str]) -> None:
    """Expect every edit, and neither a conflict marker nor a rejected change."""
    assert not (project / ".pre-commit-config.yaml").exists()
    for name, text in edits.items():
        assert text in (project / name).read_text("utf-8"), name
    for name, (_, content) in snapshot(project).items():
        assert not CONFLICT.search(content), name
        assert not name.endswith(".rej")


@pytest.mark.parametrize("engine", ENGINES)
def test_a_new_release_arrives_and_every_edit_stays(
    releases: Path, tmp_path: Path, engine: str
) -> None:
    project = write_first_release(engine, releases, tmp_path, {})
    edits = live_in(project)

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


NO_DATA = {"database": "none", "jwt_auth": False}
FILE = {"database": "sqlite", "jwt_auth": False}
SERVER = {"database": "postgresql", "jwt_auth": False}
SWITCHES: list[tuple[Answers, Answers]] = [
    ({"cors": True}, {"cors": False}),
    ({"ci": "github"}, {"ci": "gitlab"}),
    ({"ci": "gitlab"}, {"ci": "none"}),
    ({"license": "MIT"}, {"license": "Apache-2.0"}),
    ({"python_version": "3.13"}, {"python_version": "3.14"}),
    (NO_DATA, FILE),
    (FILE, SERVER),
    (SERVER, {**SERVER, "jwt_auth": True}),
    (FILE, {**FILE, "jwt_auth": True}),
    (NO_DATA, {"database": "postgresql", "jwt_auth": True}),
]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(("before", "after"), SWITCHES)
def test_a_switch_turns_and_turns_back_on_a_project_that_is_lived_in(
    template: Path, tmp_path: Path, engine: str, before: Answers, after: Answers
) -> None:
    project = generate(engine, template, tmp_path, before)
    commit_all(project, "Start")
    edits = live_in(project)
    lived_in = snapshot(project)

    update(project, **after)
    expect_clean(project, edits)
    check("ruff", "check", "--no-cache", "--extend-ignore=Q000", cwd=project)
    commit_all(project, "Switch")
    update(project, **before)
    expect_clean(project, edits)

    assert snapshot(project) == lived_in


@pytest.mark.parametrize(("before", "after"), SWITCHES)
def test_a_switched_project_is_the_same_as_a_fresh_one(
    template: Path, tmp_path: Path, before: Answers, after: Answers
) -> None:
    project = generate("copier", template, tmp_path / "switched", before)
    commit_all(project, "Start")
    update(project, **after)

    fresh = generate("copier", template, tmp_path / "fresh", after)
    assert snapshot(project) == snapshot(fresh)


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
    assert snapshot(project) == before


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

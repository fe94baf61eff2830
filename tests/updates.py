"""Update projects in memory, by the scripts that `make update` runs, and in a repository by make."""

import subprocess
from pathlib import Path

from updating.combine import combine
from updating.files import File, Files
from updating.merge import Merged

from tests.edited import edit
from tests.projects import Snapshot, check, commit_all, generate, read_answers, run
from tests.questions import Answers
from tests.rendering import render
from tests.services import use_environment

LABEL = "template v0.2.0"


def files_of(snapshot: Snapshot) -> Files:
    """Give rendered files as an update sees them."""
    return {
        name: File("100755" if mode & 0o100 else "100644", content)
        for name, (mode, content) in snapshot.items()
    }


def snapshot_of(files: Files) -> Snapshot:
    """Give files as they are on disk."""
    return {
        name: (0o755 if file.mode == "100755" else 0o644, file.content)
        for name, file in files.items()
    }


def rendered(template: Path, answers: Answers) -> Files:
    """Render a project as an update does."""
    return files_of(render(template, answers))


def update_in_memory(
    old: Files, yours: Files, new: Files, moved: dict[str, str] | None = None
) -> Merged:
    """Combine the two versions of a template with a project of which every file is in git."""
    return combine((old, yours, new), moved or {}, set(), LABEL)


def make_update(
    project: Path, *arguments: str, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run `make update` as its user does; the caller judges the exit status."""
    command = ("make", "--silent", "update", *arguments)
    return run(*command, cwd=project, **{**use_environment(project), **environment})


def update_of(project: Path, *arguments: str, **environment: str) -> str:
    """Run `make update`, which must succeed, and return what it printed."""
    result = make_update(project, *arguments, **environment)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def write_first_release(engine: str, template: Path, parent: Path, answers: Answers) -> Path:
    """Write a project from v0.1.0 and commit it."""
    check("git", "checkout", "--quiet", "v0.1.0", cwd=template)
    project = generate(engine, template, parent, answers)
    check("git", "checkout", "--quiet", "-", cwd=template)
    commit_all(project, "Start")
    return project


def release_again(template: Path) -> Path:
    """Add the release v0.2.0 to a template: it changes a file of every kind."""
    tree = template / "template"
    edit(tree / "app" / "health.py", "Answer, to show", "Reply, to show")
    edit(tree / "Makefile", "Run the tests with coverage", "Run all the tests with coverage")
    edit(tree / "README.md", "rest comes by itself", "rest follows by itself")
    edit(tree / "pyproject.toml", "fail_under = 90", "fail_under = 91")
    (tree / "app" / "extra.py").write_text('"""New in this release."""\n', "utf-8")
    (tree / ".editorconfig").unlink()
    commit_all(template, "Second release")
    check("git", "tag", "v0.2.0", cwd=template)
    return template


def expect_second_release(project: Path) -> None:
    """Expect what the second release changes."""
    assert "Reply, to show" in (project / "app" / "health.py").read_text("utf-8")
    assert "Run all the tests" in (project / "Makefile").read_text("utf-8")
    assert "rest follows by itself" in (project / "README.md").read_text("utf-8")
    assert "fail_under = 91" in (project / "pyproject.toml").read_text("utf-8")
    assert (project / "app" / "extra.py").exists()
    assert not (project / ".editorconfig").exists()
    assert read_answers(project)["_commit"] == "v0.2.0"

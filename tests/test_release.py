"""`make release` makes a version that copier sees, or leaves the repository as it was."""

import json
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.living import edit
from tests.projects import BIN, check, commit_all, run, snapshot
from tests.questions import REPOSITORY

CHANGELOG = """# Changelog

## [Unreleased]

### Added

- A kettle.

## [0.1.0] - 2025-01-02

- A cup.
"""
LOCK = """[[package]]
name = "other"
version = "0.1.0"

[[package]]
name = "groundwork"
version = "0.1.0"
"""


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Give a small template with a release, v0.1.0, and something new since."""
    folder = tmp_path / "repository"
    for name in ("scripts", "template"):
        (folder / name).mkdir(parents=True)
    shutil.copy(REPOSITORY / "scripts" / "release.py", folder / "scripts")
    shutil.copy(REPOSITORY / "template" / ".copier-answers.yml", folder / "template")
    shutil.copy(REPOSITORY / "pyproject.toml", folder)
    set_version(folder, "0.1.0")
    settings = (REPOSITORY / "copier.yml").read_text("utf-8").split("# --- The project")[0]
    (folder / "copier.yml").write_text(settings, "utf-8")
    (folder / "CHANGELOG.md").write_text("# Changelog\n\n## [Unreleased]\n", "utf-8")
    (folder / "uv.lock").write_text(LOCK, "utf-8")
    check("git", "init", "--quiet", "--initial-branch", "main", cwd=folder)
    check("git", "config", "user.name", "Test", cwd=folder)
    check("git", "config", "user.email", "test@example.com", cwd=folder)
    commit_all(folder, "Start")
    check("git", "tag", "v0.1.0", cwd=folder)
    (folder / "CHANGELOG.md").write_text(CHANGELOG, "utf-8")
    commit_all(folder, "Add a kettle")
    check("git", "tag", "versions", cwd=folder)
    return folder


def set_version(repository: Path, version: str) -> None:
    """Write the version that the next test starts from, whatever Groundwork's own is."""
    file = repository / "pyproject.toml"
    current = tomllib.loads(file.read_text("utf-8"))["project"]["version"]
    edit(file, f'version = "{current}"', f'version = "{version}"')


def release(
    repository: Path, version: str, command: str = "true"
) -> subprocess.CompletedProcess[str]:
    """Run the script as `make release` does; the caller judges the exit status."""
    script = repository / "scripts" / "release.py"
    return run(sys.executable, script, version, "--check", command, cwd=repository)


def state(repository: Path) -> list[object]:
    """Say what a refused release must not change."""
    asked = (["status", "--porcelain", "--branch"], ["for-each-ref"], ["rev-parse", "HEAD"])
    answers = [check("git", *arguments, cwd=repository) for arguments in asked]
    return [snapshot(repository), *answers]


def expect_refusal(
    repository: Path, sentence: str, *, version: str = "0.2.0", command: str = "touch checked"
) -> None:
    """Expect a sentence, a status of 1, and nothing changed; by default, not even checked."""
    before = state(repository)
    result = release(repository, version, command)
    assert result.returncode == 1, result.stdout + result.stderr
    assert result.stderr.startswith(sentence)
    assert result.stderr.endswith("Nothing was released.\n")
    assert result.stdout == ""
    assert state(repository) == before


def test_a_release_dates_the_changelog_sets_the_version_commits_and_tags(repository: Path) -> None:
    days = {str(datetime.now(UTC).date())}
    result = release(repository, "0.2.0")
    days.add(str(datetime.now(UTC).date()))

    assert result.returncode == 0, result.stderr
    assert result.stdout == "v0.2.0 is tagged. Publish it with: git push --follow-tags\n"
    heading = "## [Unreleased]\n\n## [0.2.0] - {}\n\n### Added\n"
    expected = {
        CHANGELOG.replace("## [Unreleased]\n\n### Added\n", heading.format(d)) for d in days
    }
    assert (repository / "CHANGELOG.md").read_text("utf-8") in expected
    project = tomllib.loads((repository / "pyproject.toml").read_text("utf-8"))["project"]
    assert project["version"] == "0.2.0"
    locked = tomllib.loads((repository / "uv.lock").read_text("utf-8"))["package"]
    assert {each["name"]: each["version"] for each in locked} == {
        "other": "0.1.0",
        "groundwork": "0.2.0",
    }
    assert check("git", "status", "--porcelain", cwd=repository) == ""
    assert check("git", "log", "--format=%s", "-2", cwd=repository) == (
        "Release 0.2.0\nAdd a kettle\n"
    )
    # git push --follow-tags pushes annotated tags only, and this is what describe finds
    assert check("git", "describe", cwd=repository) == "v0.2.0\n"


def test_copier_offers_the_release_to_a_project(repository: Path, tmp_path: Path) -> None:
    project = tmp_path / "project"
    check(BIN / "copier", "copy", "--quiet", repository, project, cwd=tmp_path)
    commit_all(project)
    assert release(repository, "0.2.0").returncode == 0
    question = (BIN / "copier", "check-update", "--output-format", "json")
    offer = json.loads(check(*question, cwd=project))
    assert offer == {
        "update_available": True,
        "current_version": "0.1.0",
        "latest_version": "0.2.0",
    }


def test_a_candidate_comes_before_its_release_and_the_next_release_after(repository: Path) -> None:
    for version in ("0.2.0rc1", "0.2.0", "0.10.0"):
        result = release(repository, version)
        assert result.returncode == 0, result.stderr
        expect_refusal(repository, f"The newest release is {version}: 0.2.0rc1", version="0.2.0rc1")
        expect_refusal(repository, "CHANGELOG.md has no entry", version="1.0.0")
        edit(repository / "CHANGELOG.md", "## [Unreleased]\n", "## [Unreleased]\n\n- More.\n")
        commit_all(repository, "More")
    expect_refusal(repository, "The newest release is 0.10.0: 0.9.0 is not newer.", version="0.9.0")


@pytest.mark.parametrize(
    "version",
    ["v0.2.0", "0.2", "0.2.0.1", "0.2.0a1", "0.2.0-rc1", "0.2.0.dev1", "0.2.0+x", "00.2.0", "next"],
)
def test_what_is_no_version_is_refused(repository: Path, version: str) -> None:
    sentence = f"A version is X.Y.Z or X.Y.ZrcN, such as 0.2.0 or 0.2.0rc1. Got: {version}.\n"
    expect_refusal(repository, sentence, version=version)


def uncommitted_work(repository: Path) -> str:
    edit(repository / "CHANGELOG.md", "A kettle", "Two kettles")
    return "Commit or stash your work first:\n M CHANGELOG.md\n"


def new_file(repository: Path) -> str:
    (repository / "note").touch()
    return "Commit or stash your work first:\n?? note\n"


def other_branch(repository: Path) -> str:
    check("git", "switch", "--quiet", "--create", "kettle", cwd=repository)
    return "Releases are made on main, not on kettle."


def no_branch(repository: Path) -> str:
    check("git", "switch", "--quiet", "--detach", cwd=repository)
    return "Releases are made on main, not on a detached commit."


def entries_of_older_releases_only(repository: Path) -> str:
    edit(repository / "CHANGELOG.md", "- A kettle.\n", "")
    commit_all(repository)
    return "CHANGELOG.md has no entry under ## [Unreleased]: say what is new.\n"


def no_heading(repository: Path) -> str:
    edit(repository / "CHANGELOG.md", "## [Unreleased]\n", "## Unreleased\n")
    commit_all(repository)
    return "CHANGELOG.md has no entry under ## [Unreleased]: say what is new.\n"


@pytest.mark.parametrize(
    "spoil",
    [
        uncommitted_work,
        new_file,
        other_branch,
        no_branch,
        entries_of_older_releases_only,
        no_heading,
    ],
)
def test_a_repository_that_is_not_ready_is_refused_before_the_tests_run(
    repository: Path, spoil: Callable[[Path], str]
) -> None:
    sentence = spoil(repository)
    expect_refusal(repository, sentence)


def test_nothing_is_released_when_the_tests_fail(repository: Path) -> None:
    expect_refusal(repository, "The check failed: false\n", command="false")


@pytest.mark.parametrize(
    ("command", "sentence"),
    [
        ("touch note", "Commit or stash your work first:\n?? note\n"),
        ("git commit --quiet --allow-empty -m Late", "There are new commits"),
        ("git switch --quiet --create late", "Releases are made on main, not on late."),
    ],
)
def test_what_was_not_tested_is_not_released(repository: Path, command: str, sentence: str) -> None:
    result = release(repository, "0.2.0", command)
    assert result.returncode == 1
    assert result.stderr.startswith(sentence)
    assert check("git", "tag", "--list", "v0.2.0", cwd=repository) == ""
    assert (repository / "CHANGELOG.md").read_text("utf-8") == CHANGELOG


def test_a_commit_that_git_refuses_leaves_nothing_behind(repository: Path) -> None:
    hook = repository / ".git" / "hooks" / "pre-commit"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\necho Not today. >&2\nexit 1\n", "utf-8")
    hook.chmod(0o755)
    expect_refusal(repository, "Not today.\n", command="true")


def test_a_tag_that_git_refuses_takes_the_commit_back(repository: Path) -> None:
    check("git", "tag", "v0.2.0/kettle", cwd=repository)
    expect_refusal(repository, "fatal: cannot lock ref 'refs/tags/v0.2.0'", command="true")


def test_make_runs_it_with_all_checks() -> None:
    commands = check(
        "make", "--no-print-directory", "-n", "release", "VERSION=0.2.0", cwd=REPOSITORY
    )
    assert commands.endswith(" scripts/release.py 0.2.0\n")
    usage = check(sys.executable, "scripts/release.py", "--help", cwd=REPOSITORY)
    assert "make lint test" in usage

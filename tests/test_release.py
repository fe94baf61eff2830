"""`make release` prepares a version, which CI's success publishes for copier, once; or nothing changes."""

import json
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.edited import edit
from tests.projects import BIN, check, commit_all, run, snapshot
from tests.questions import REPOSITORY
from tests.workflows import Runner, clone, load

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
    for name in ("find_release.py", "release.py"):
        shutil.copy(REPOSITORY / "scripts" / name, folder / "scripts")
    shutil.copy(REPOSITORY / "template" / ".copier-answers.yml", folder / "template")
    for name in (".gitignore", "pyproject.toml"):
        shutil.copy(REPOSITORY / name, folder)
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
    return run(sys.executable, "-B", script, version, "--check", command, cwd=repository)


def publish(runner: Runner, fails: str = "") -> subprocess.CompletedProcess[str]:
    """Run the step that tags and publishes, after CI."""
    return runner.run("release.yml", "publish", "Tag and publish", fails=fails)


def find(repository: Path) -> str:
    """Run the script that finds what is not released yet."""
    return check(sys.executable, repository / "scripts" / "find_release.py", cwd=repository)


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


def test_a_release_dates_the_changelog_sets_the_version_and_commits(repository: Path) -> None:
    tags = check("git", "tag", cwd=repository)
    days = {str(datetime.now(UTC).date())}
    result = release(repository, "0.2.0")
    days.add(str(datetime.now(UTC).date()))

    assert result.returncode == 0, result.stderr
    assert result.stdout.splitlines() == [
        "Release 0.2.0 is committed, and not published yet.",
        "Next: git push. When CI has passed, a workflow publishes it as v0.2.0.",
    ]
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
    assert check("git", "tag", cwd=repository) == tags


def test_copier_offers_the_release_to_a_project(repository: Path, tmp_path: Path) -> None:
    project = tmp_path / "project"
    check(BIN / "copier", "copy", "--quiet", repository, project, cwd=tmp_path)
    commit_all(project)
    assert release(repository, "0.2.0").returncode == 0
    runner = Runner(tmp_path / "runner", repository)
    check("git", "remote", "add", "origin", repository, cwd=repository)
    assert publish(runner).returncode == 0
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


def test_a_version_that_only_a_tag_has_is_taken(repository: Path) -> None:
    check("git", "tag", "v0.3.0rc1", cwd=repository)
    expect_refusal(repository, "The newest release is 0.3.0rc1: 0.2.0 is not newer.")


def write_entries(repository: Path, *headings: str, version: str = "0.2.0") -> None:
    """Write a changelog with a section for each heading, and the version it is about."""
    sections = [f"## {heading}\n\n- {number}.\n" for number, heading in enumerate(headings)]
    text = "\n".join(["# Changelog\n", *sections])
    (repository / "CHANGELOG.md").write_text(text, "utf-8")
    set_version(repository, version)


@pytest.mark.parametrize(
    "headings",
    [
        [],
        ["[Unreleased]"],
        ["[Unreleased]", "[0.1.0] - 2025-01-02"],
        ["[0.2.0]", "[0.1.0] - 2025-01-02"],
        ["[0.2.0] - soon"],
        ["0.2.0 - 2025-02-03"],
        ["[0.2] - 2025-02-03"],
        ["[0.0.9] - 2024-02-03"],
        ["[0.1.0rc1] - 2025-01-01"],
    ],
)
def test_nothing_is_found_to_release(repository: Path, headings: list[str]) -> None:
    write_entries(repository, *headings)
    assert find(repository) == ""


def test_a_dated_version_without_a_tag_is_found_with_its_section(repository: Path) -> None:
    write_entries(repository, "[Unreleased]", "[0.2.0] - 2025-02-03", "[0.1.0] - 2025-01-02")
    assert find(repository) == "0.2.0\n\n- 1.\n"
    check("git", "tag", "v0.2.0", cwd=repository)
    assert find(repository) == ""


@pytest.mark.parametrize("tag", ["v0.2.1", "v0.10.0", "v1.0.0rc1"])
def test_a_version_older_than_the_newest_tag_is_not_found(repository: Path, tag: str) -> None:
    write_entries(repository, "[0.2.0] - 2025-02-03")
    check("git", "tag", tag, cwd=repository)
    assert find(repository) == ""


def test_a_candidate_is_found_before_its_release(repository: Path) -> None:
    write_entries(repository, "[0.2.0rc2] - 2025-02-03", version="0.2.0rc2")
    check("git", "tag", "v0.2.0rc1", cwd=repository)
    assert find(repository) == "0.2.0rc2\n\n- 0.\n"
    check("git", "tag", "v0.2.0rc2", cwd=repository)
    assert find(repository) == ""
    write_entries(repository, "[0.2.0] - 2025-02-04", "[0.2.0rc2] - 2025-02-03")
    assert find(repository) == "0.2.0\n\n- 0.\n"


def test_a_repository_without_a_tag_releases_its_newest_version_only(repository: Path) -> None:
    check("git", "tag", "--delete", "v0.1.0", cwd=repository)
    write_entries(repository, "[Unreleased]")
    assert find(repository) == ""
    write_entries(repository, "[0.2.0] - 2025-02-03", "[0.1.0] - 2025-01-02")
    assert find(repository) == "0.2.0\n\n- 0.\n"


def test_a_changelog_that_pyproject_contradicts_is_refused(repository: Path) -> None:
    write_entries(repository, "[0.2.0] - 2025-02-03", version="0.1.0")
    result = run(sys.executable, "scripts/find_release.py", cwd=repository)
    assert result.returncode == 1
    assert result.stderr.startswith("CHANGELOG.md says 0.2.0, pyproject.toml says 0.1.0.")


@pytest.mark.parametrize(("version", "options"), [("0.2.0", ""), ("0.2.0rc1", " --prerelease")])
def test_the_workflow_publishes_a_version_once(
    repository: Path, tmp_path: Path, version: str, options: str
) -> None:
    assert release(repository, version).returncode == 0
    runner = Runner(tmp_path / "runner", clone(repository, tmp_path))
    assert runner.run("release.yml", "find", "find").returncode == 0
    assert (runner.folder / "output").read_text("utf-8") == f"version={version}\n"

    assert publish(runner, fails="release create*").returncode == 1
    assert f"v{version}" not in check("git", "ls-remote", "--tags", "origin", cwd=runner.clone)
    check("git", "tag", "--delete", f"v{version}", cwd=runner.clone)
    runner.calls()

    result = publish(runner)
    assert result.returncode == 0, result.stderr
    create = f"release create v{version} --verify-tag --title v{version} --notes-file notes.md"
    assert runner.calls() == ["auth setup-git", create + options]
    assert runner.body() == "### Added\n\n- A kettle.\n"
    head = check("git", "rev-parse", "HEAD", cwd=repository).strip()
    tags = check("git", "ls-remote", "--tags", "origin", cwd=runner.clone)
    assert f"{head}\trefs/tags/v{version}^{{}}\n" in tags

    result = publish(runner)
    assert (result.returncode, result.stdout) == (0, "There is nothing to release.\n")
    assert runner.calls() == []


def test_nothing_is_published_before_ci_has_passed() -> None:
    workflow, ci = load("release.yml"), load("ci.yml")
    assert workflow["jobs"]["ci"]["uses"] == "$/.github/workflows/ci.yml"
    assert "workflow_call" in ci["on"]
    publishing = workflow["jobs"]["publish"]
    assert publishing["needs"] == ["find", "ci"]
    assert "if" not in publishing
    rights = {name: job["permissions"] for name, job in workflow["jobs"].items()}
    assert rights.pop("publish") == {"contents": "write"}
    assert set(map(str, rights.values())) == {"{'contents': 'read'}"}
    # a called workflow has the caller's name: a group of both would wait for itself
    assert workflow["concurrency"]["group"] == "release"
    assert ci["concurrency"]["group"] == "${{ github.workflow }}-${{ github.ref }}"


def test_make_runs_it_with_all_checks() -> None:
    commands = check(
        "make", "--no-print-directory", "-n", "release", "VERSION=0.2.0", cwd=REPOSITORY
    )
    assert commands.endswith(" scripts/release.py 0.2.0\n")
    usage = check(sys.executable, "scripts/release.py", "--help", cwd=REPOSITORY)
    assert "make lint test" in usage

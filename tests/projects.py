"""Write projects with either engine, as a user would, and look at what was written."""

import os
import re
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import copier
import pytest
import yaml
from cookiecutter.main import cookiecutter

from tests.questions import REPOSITORY, Answers, default_answers

CONFLICT = re.compile(rb"^(<<<<<<<|>>>>>>>) ", re.MULTILINE)
ENGINES = ("copier", "cookiecutter")
BIN = Path(sys.executable).parent

Snapshot = dict[str, tuple[int, bytes]]
"""The mode and the bytes of each file, by its path in the project."""


def run(*command: str | Path, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end, within 15 minutes; the caller judges the exit status."""
    return subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=900,
    )


def check(*command: str | Path, cwd: Path, **environment: str) -> str:
    """Run a command that must succeed, and return what it printed."""
    result = run(*command, cwd=cwd, **environment)
    assert result.returncode == 0, f"{command} failed:\n{result.stdout}\n{result.stderr}"
    return result.stdout


def let_others_pass(folder: Path) -> None:
    """Let other users, such as the one that PostgreSQL runs as, reach a temporary folder."""
    for each in (folder, *folder.parents):
        if each == Path(tempfile.gettempdir()):
            break
        each.chmod(0o755)


def commit_all(repository: Path, message: str = "Work") -> None:
    """Commit the whole folder, making it a repository if it is none."""
    check("git", "init", "--quiet", cwd=repository)
    check("git", "add", "--all", cwd=repository)
    check(
        *("git", "-c", "user.name=Test", "-c", "user.email=test@example.com"),
        *("commit", "--quiet", "--allow-empty", "--message", message),
        cwd=repository,
    )


def clone_template(folder: Path, tag: str = "v0.1.0") -> Path:
    """Make a clean repository of this working tree, with a version tag, as users clone it."""
    files = check(
        *("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"), cwd=REPOSITORY
    )
    for name in filter(None, files.split("\0")):
        source, target = REPOSITORY / name, folder / name
        if source.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(source.read_bytes())
            target.chmod(stat.S_IMODE(source.stat().st_mode))
    commit_all(folder, "Template")
    check("git", "tag", tag, cwd=folder)
    check("git", "gc", "--quiet", cwd=folder)
    return folder


def clone_history(folder: Path, tag: str) -> Path:
    """Make a repository of all versions, with this working tree as the newest one."""
    if check("git", "rev-parse", "--is-shallow-repository", cwd=REPOSITORY).strip() == "true":
        pytest.skip("this clone has no history: git fetch --unshallow")
    check("git", "clone", "--quiet", str(REPOSITORY), str(folder), cwd=folder)
    check("git", "rm", "-rq", ".", cwd=folder)
    return clone_template(folder, tag)


def generate(engine: str, template: Path, parent: Path, answers: Answers) -> Path:
    """Write one project below `parent` and return its folder."""
    answers = {**default_answers(), **answers}
    project = Path(parent, answers["project_slug"])
    if engine == "copier":
        copier.run_copy(
            str(template), project, data=answers, defaults=True, quiet=True, vcs_ref="HEAD"
        )
    else:
        cookiecutter(
            str(template),
            no_input=True,
            extra_context=answers,
            output_dir=str(parent),
            default_config=True,
        )
    return project


def ask(
    engine: str, template: Path, parent: Path, answers: Answers
) -> subprocess.CompletedProcess[str]:
    """Run an engine's own command, as a user types it, towards `parent / "service"`."""
    pairs = [f"{name}={value}" for name, value in answers.items()]
    if engine == "copier":
        data = [word for pair in pairs for word in ("--data", pair)]
        command = ["copier", "copy", "--defaults", *data, str(template), "service"]
    else:
        if "project_name" not in answers and "project_slug" not in answers:
            pairs.append("project_slug=service")
        command = ["cookiecutter", "--no-input", "--default-config", str(template), *pairs]
    return run(BIN / command[0], *command[1:], cwd=parent)


def take_newest(project: Path) -> None:
    """Run plain `copier update` to the newest version."""
    copier.run_update(project, defaults=True, overwrite=True, quiet=True)


def change_answers(project: Path, **answers: object) -> None:
    """Run plain `copier update` with other answers, at the version that the project has."""
    copier.run_update(
        project,
        data=answers,
        defaults=True,
        overwrite=True,
        quiet=True,
        vcs_ref=copier.VcsRef.CURRENT,
    )


def read_answers(project: Path) -> Answers:
    """Read what a project remembers."""
    answers: Answers = yaml.safe_load((project / ".copier-answers.yml").read_text("utf-8"))
    return answers


def expect_no_conflict(project: Path) -> None:
    """Expect that an update has left neither a conflict marker nor a rejected change."""
    for name, (_, content) in snapshot(project).items():
        assert not CONFLICT.search(content), name
        assert not name.endswith(".rej")


def snapshot(folder: Path) -> Snapshot:
    """Map each file below `folder`, by its relative path, to its mode and bytes; git's excepted."""
    return {
        str(path.relative_to(folder)): (stat.S_IMODE(path.stat().st_mode), path.read_bytes())
        for path in sorted(folder.rglob("*"))
        if path.is_file() and ".git" not in path.relative_to(folder).parts
    }


def expect_files(folder: Path, expected: Snapshot, note: str = "") -> None:
    """Expect these files in a folder; pytest would take hours to explain how two whole projects differ."""
    written = snapshot(folder)
    assert not written.keys() ^ expected.keys(), note
    for name, file in expected.items():
        assert written[name] == file, f"{name} {note}"

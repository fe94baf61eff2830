# /// script
# requires-python = ">=3.11"
# dependencies = ["copier>=9.19,<10", "pyyaml>=6.0,<7"]
# ///
"""Bring this project to a newer template, or change an answer: `make update`.

copier works on a copy, and the result is taken over only if nothing speaks against it. Arguments
are copier's own: `make update ARGS="--vcs-ref=:current: --data QUESTION=ANSWER"`. With YES=1
nothing is asked.
"""

import os
import re
import subprocess
import sys
from argparse import ArgumentParser
# {% if database != 'none' %}
from collections import Counter
# {% endif %}
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml

ANSWERS = ".copier-answers.yml"
COPIER = [sys.executable, "-m", "copier"]
YES_OR_NO = {"true", "false", "yes", "no", "on", "off", "y", "n"}
CONFLICT = re.compile(rb"^(<{7}|>{7}) ", re.MULTILINE)
# {% if database != 'none' %}
VERSIONS = "migrations/versions"
UNDOING = re.compile(r'"""(Undo|Repeat) ([\w, ]+)\."""')
# {% endif %}


class RefusedError(Exception):
    """The project stays as it is, for the reason that the message gives."""


def main() -> int:
    """Update the project; the status is 0 only if nothing is left to mend."""
    arguments = sys.argv[1:]
    try:
        project = find_project()
        with TemporaryDirectory() as name:
            workspace = Path(name)
            copy = copy_project(project, workspace / "copy")
            before = read_answers(copy)
            run_copier("update", "--defaults", *arguments, cwd=copy)
            after = read_answers(copy)
            refuse_misspelt_answers(arguments, after)
            # {% if database != 'none' %}
            switched_off = keep_migrations(copy)
            switched_on = returning_migrations(copy, after, workspace / "new")
            # {% endif %}
            confirm(deleted_edits(copy, before, workspace / "old"))
            take_over(copy, project)
    except RefusedError as error:
        say(f"{str(error).rstrip()}\nNothing was changed.")
        return 1
    # {% if database != 'none' %}
    write_migration(project, switched_off)
    write_migration(project, switched_on, "--repeat")
    # {% endif %}
    return report(project, before, after)


def find_project() -> Path:
    """Find the folder, and refuse to start from anything but committed work.

    Raises:
        RefusedError: there is no repository, no commit, no file of answers, or uncommitted work.
    """
    project = Path.cwd()
    if not git_succeeds("rev-parse", "--verify", "--quiet", "HEAD"):
        raise RefusedError("An update needs your work in git: git init, git add ., git commit.")
    if not (project / ANSWERS).exists():
        message = f"{ANSWERS} is missing: it says which template this is. Take it back from git."
        raise RefusedError(message)
    if changes := git("status", "--porcelain"):
        raise RefusedError(f"Commit or stash your work first:\n{changes}")
    return project


def copy_project(project: Path, target: Path) -> Path:
    """Clone the repository, and find the project in the clone: it may be a folder of it."""
    folder = git("rev-parse", "--show-prefix", cwd=project).strip()
    top = git("rev-parse", "--show-toplevel", cwd=project).strip()
    git("clone", "--quiet", top, str(target))
    return target / folder


def read_answers(project: Path) -> dict[str, Any]:
    """Read what the project remembers."""
    answers: dict[str, Any] = yaml.safe_load((project / ANSWERS).read_text("utf-8"))
    return answers


def run_copier(*arguments: str, cwd: Path) -> None:
    """Run copier, which explains a failure itself.

    Raises:
        RefusedError: it failed.
    """
    if subprocess.run([*COPIER, *arguments], cwd=cwd, check=False).returncode:
        raise RefusedError("copier could not do it; its message is above.")


def refuse_misspelt_answers(arguments: list[str], answers: dict[str, Any]) -> None:
    """Refuse what copier takes without a word: an unknown option, and any text for a yes.

    Raises:
        RefusedError: the template has no question of that name, or one of yes or no.
    """
    parser = ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("-d", "--data", action="append", default=[])
    for pair in parser.parse_known_args(arguments)[0].data:
        name, _, answer = pair.partition("=")
        if name not in answers:
            options = ", ".join(option for option in answers if not option.startswith("_"))
            raise RefusedError(f"There is no option {name}. The options are: {options}.")
        if isinstance(answers[name], bool) and answer.lower() not in YES_OR_NO:
            raise RefusedError(f"{name} takes true or false.")


# {% if database != 'none' %}
def keep_migrations(copy: Path) -> list[str]:
    """Take back the migrations of a part that goes, because databases have run them.

    When the database itself goes, they go, too.
    """
    deleted = git("ls-files", "--deleted", VERSIONS, cwd=copy).splitlines()
    if not deleted or not (copy / "migrations" / "env.py").exists():
        return []
    git("checkout", "HEAD", "--", *deleted, cwd=copy)
    return [Path(name).stem for name in deleted]


def returning_migrations(copy: Path, answers: dict[str, Any], target: Path) -> list[str]:
    """List the migrations of a part that is back, and that were undone when it went."""
    undone: Counter[str] = Counter()
    for file in (copy / VERSIONS).glob("*.py"):
        if step := UNDOING.match(file.read_text("utf-8")):
            for name in step[2].split(", "):
                undone[name] += 1 if step[1] == "Undo" else -1
    names = [name for name, times in undone.items() if times > 0]
    if not names:
        return []
    render(answers, target)
    return [name for name in names if (target / VERSIONS / f"{name}.py").exists()]


def write_migration(project: Path, revisions: list[str], *options: str) -> None:
    """Write the migration that undoes or repeats others, in the environment of the project."""
    if not revisions:
        return
    command = [os.environ.get("UV", "uv"), "run", "--quiet", "python", "scripts/undo_migrations.py"]
    environment = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
    subprocess.run([*command, *options, *revisions], cwd=project, check=True, env=environment)
    say("A migration for your databases was written. Read it, then run it: make migrate.")


# {% endif %}
def deleted_edits(copy: Path, answers: dict[str, Any], target: Path) -> list[str]:
    """List the files with edits of yours that go, because a part of the service goes."""
    deleted = git("ls-files", "--deleted", cwd=copy).splitlines()
    if not deleted:
        return []
    render(answers, target)
    return [name for name in deleted if is_edited(copy, name, target / name)]


def render(answers: dict[str, Any], target: Path) -> None:
    """Write a fresh project from the answers, the template's address and version among them."""
    remembered = target.with_suffix(".yml")
    remembered.write_text(yaml.safe_dump(answers), "utf-8")
    run_copier(
        *("copy", "--defaults", "--quiet", "--vcs-ref", answers["_commit"]),
        *("--data-file", str(remembered), answers["_src_path"], str(target)),
        cwd=target.parent,
    )


def is_edited(copy: Path, name: str, written: Path) -> bool:
    """Whether the committed file is another than the template wrote."""
    committed = subprocess.run(
        ["git", "show", f"HEAD:./{name}"], cwd=copy, check=True, capture_output=True
    ).stdout
    return not written.is_file() or written.read_bytes() != committed


def confirm(names: list[str]) -> None:
    """Ask before edits go.

    Raises:
        RefusedError: the answer is not yes.
    """
    if not names or os.environ.get("YES") == "1":
        return
    listed = "\n".join(f"  {name}" for name in names)
    say(f"These files go, and they have edits of yours, which only git keeps:\n{listed}")
    if not sys.stdin.isatty():
        raise RefusedError("Repeat with YES=1 if they may go.")
    if input("May they go? [y/N] ").strip().lower() not in {"y", "yes"}:
        raise RefusedError("They stay.")


def take_over(copy: Path, project: Path) -> None:
    """Bring the files of the copy into the project, uncommitted, for you to look at."""
    git("add", "--all", "--force", ".", cwd=copy)
    identity = ("-c", "user.name=update", "-c", "user.email=update@localhost")
    git(*identity, "commit", "--quiet", "--no-verify", "--allow-empty", "-m", "Update", cwd=copy)
    git("fetch", "--quiet", git("rev-parse", "--show-toplevel", cwd=copy).strip(), "HEAD")
    git("read-tree", "-m", "-u", "HEAD", "FETCH_HEAD", cwd=project)
    git("reset", "--quiet", cwd=project)


def report(project: Path, before: dict[str, Any], after: dict[str, Any]) -> int:
    """Say what has changed, what is left to mend, and what comes next."""
    for name, answer in after.items():
        if before.get(name) != answer:
            say(f"{name}: {before.get(name)} -> {answer}")
    if conflicts := find_conflicts(project):
        listed = "\n".join(f"  {name}" for name in conflicts)
        say(f"You and the template have changed the same lines. Mend these files:\n{listed}")
        return 1
    say("Updated. Look at it with git diff, run make lint test, and commit.")
    return 0


def find_conflicts(project: Path) -> list[str]:
    """List changed files with conflict markers, and rejected changes."""
    changed = git("ls-files", "--modified", "--others", "--exclude-standard", cwd=project)
    files = [project / name for name in changed.splitlines()]
    return [
        str(file.relative_to(project))
        for file in files
        if file.is_file() and (file.suffix == ".rej" or CONFLICT.search(file.read_bytes()))
    ]


def git(*arguments: str, cwd: Path | None = None) -> str:
    """Run git.

    Raises:
        RefusedError: it failed, with what it said.
    """
    command = ["git", "-c", "core.quotePath=false", *arguments]
    result = subprocess.run(command, cwd=cwd, check=False, capture_output=True, text=True)
    if result.returncode:
        raise RefusedError(result.stderr.strip())
    return result.stdout


def git_succeeds(*arguments: str) -> bool:
    """Whether git, asked this, says yes."""
    command = ["git", *arguments]
    return subprocess.run(command, check=False, capture_output=True).returncode == 0


def say(text: str) -> None:
    """Print for the person who updates."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())

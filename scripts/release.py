"""Prepare a release of the template: date the changelog, set the version, commit. Nothing is pushed.

Usage: python scripts/release.py VERSION [--check COMMAND]
VERSION is X.Y.Z, or X.Y.ZrcN for a release candidate, which copier offers only with --prereleases.
COMMAND must succeed first. Whatever goes wrong, files and commits stay as they were. The tag is made by
.github/workflows/release.yml, when the commit is on main and CI has passed.
"""

import re
import shlex
import subprocess
import sys
import tomllib
from argparse import ArgumentParser
from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn

from find_release import VERSION, dated_sections, order, tagged_versions

REPOSITORY = Path(__file__).resolve().parent.parent
UNRELEASED = "## [Unreleased]\n"


def main() -> None:
    """Prepare the release, or say why not."""
    parser = ArgumentParser()
    parser.add_argument("version", help="such as 0.2.0 or 0.2.0rc1")
    parser.add_argument("--check", default="make lint test", help="by default: %(default)s")
    arguments = parser.parse_args()
    refuse_version(arguments.version)
    refuse_branch()
    refuse_empty_changelog()
    head = git("rev-parse", "HEAD")
    run_check(arguments.check)
    # the tests take long enough for someone to go on working
    refuse_branch()
    if git("rev-parse", "HEAD") != head:
        refuse("There are new commits, which were not checked. Start again.")
    release(arguments.version, head)
    print(f"Release {arguments.version} is committed, and not published yet.")
    print(f"Next: git push. When CI has passed, a workflow publishes it as v{arguments.version}.")


def refuse(reason: str) -> NoReturn:
    """End it here."""
    sys.exit(f"{reason.rstrip()}\nNothing was released.")


def refuse_version(text: str) -> None:
    """Refuse what is no version, or not newer than every release."""
    if not VERSION.fullmatch(text):
        refuse(f"A version is X.Y.Z or X.Y.ZrcN, such as 0.2.0 or 0.2.0rc1. Got: {text}.")
    # a clone may not have the newest tags, and what was not pushed yet has none
    newest = max([*tagged_versions(), *dated_sections()], key=order, default=None)
    if newest and order(text) <= order(newest):
        refuse(f"The newest release is {newest}: {text} is not newer.")


def refuse_branch() -> None:
    """Refuse to start from anything but committed work on main."""
    if (branch := git("branch", "--show-current").strip()) != "main":
        refuse(f"Releases are made on main, not on {branch or 'a detached commit'}.")
    if changes := git("status", "--porcelain"):
        refuse(f"Commit or stash your work first:\n{changes}")


def refuse_empty_changelog() -> None:
    """Refuse a release that tells its users nothing."""
    _, _, rest = (REPOSITORY / "CHANGELOG.md").read_text("utf-8").partition(f"\n{UNRELEASED}")
    section, *_ = rest.split("\n## ")
    if not re.search(r"^- ", section, re.MULTILINE):
        refuse("CHANGELOG.md has no entry under ## [Unreleased]: say what is new.")


def run_check(command: str) -> None:
    """Run the command that proves the template."""
    if subprocess.run(shlex.split(command), cwd=REPOSITORY, check=False).returncode:
        refuse(f"The check failed: {command}")


def release(version: str, head: str) -> None:
    """Write and commit, or put everything back."""
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))["project"]
    name = f'name = "{project["name"]}"\nversion = '
    today = datetime.now(UTC).date()
    old, new = f'{name}"{project["version"]}"', f'{name}"{version}"'
    edits = {
        "CHANGELOG.md": (f"\n{UNRELEASED}", f"\n{UNRELEASED}\n## [{version}] - {today}\n"),
        "pyproject.toml": (old, new),
        "uv.lock": (old, new),
    }
    files = {file: REPOSITORY / file for file in edits if (REPOSITORY / file).exists()}
    before = {file: path.read_bytes() for file, path in files.items()}
    try:
        for file, path in files.items():
            path.write_text(path.read_text("utf-8").replace(*edits[file], 1), "utf-8")
        git("commit", "--quiet", "--all", "--message", f"Release {version}")
    except BaseException:
        for file, path in files.items():
            path.write_bytes(before[file])
        git("reset", "--quiet", head.strip())
        raise


def git(*arguments: str) -> str:
    """Run git."""
    command = ["git", *arguments]
    result = subprocess.run(command, cwd=REPOSITORY, check=False, capture_output=True, text=True)
    if result.returncode:
        refuse(result.stderr or f"{shlex.join(command)} failed.")
    return result.stdout


if __name__ == "__main__":
    main()

"""Find the version of this commit that is not released yet: python scripts/find_release.py.

It is the newest section of CHANGELOG.md that has a date, `## [X.Y.Z] - YYYY-MM-DD` or X.Y.ZrcN, if no
tag `vX.Y.Z` is as new. The first line of the output is the version, the second is empty, and the rest is
the section. Without such a version there is no output. Any Python 3.11 runs it, without a package.
"""

import math
import re
import subprocess
import sys
import tomllib
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
NUMBER = "(0|[1-9][0-9]*)"
VERSION = re.compile(rf"{NUMBER}\.{NUMBER}\.{NUMBER}(?:rc{NUMBER})?")
HEADING = re.compile(r"## \[(.+)\] - [0-9]{4}-[0-9]{2}-[0-9]{2}")


def main() -> None:
    """Print the version and its section, if there is one to release."""
    sections = dated_sections()
    version = max(sections, key=order, default=None)
    newest = max(tagged_versions(), key=order, default=None)
    if version is None or (newest and order(version) <= order(newest)):
        return
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))["project"]
    if project["version"] != version:
        sys.exit(
            f"CHANGELOG.md says {version}, pyproject.toml says {project['version']}. "
            "`make release` sets both."
        )
    print(version, sections[version], sep="\n\n")


def order(version: str) -> tuple[float, ...]:
    """Give what versions are compared by; a release comes after its candidates.

    Raises:
        ValueError: this is not a version.
    """
    if not (match := VERSION.fullmatch(version)):
        raise ValueError(version)
    *numbers, candidate = match.groups()
    return (*map(int, numbers), math.inf if candidate is None else int(candidate))


def dated_sections() -> dict[str, str]:
    """Map each version in CHANGELOG.md that has a date to the text below its heading."""
    sections = {}
    text = (REPOSITORY / "CHANGELOG.md").read_text("utf-8")
    for part in re.split(r"^(?=## )", text, flags=re.MULTILINE):
        heading, _, section = part.partition("\n")
        match = HEADING.fullmatch(heading.rstrip())
        if match and VERSION.fullmatch(match[1]):
            sections[match[1]] = section.strip()
    return sections


def tagged_versions() -> list[str]:
    """List the versions that have a tag; other tags are ignored."""
    command = ["git", "tag", "--list", "v*"]
    tags = subprocess.run(command, cwd=REPOSITORY, check=True, capture_output=True, text=True)
    names = [tag.removeprefix("v") for tag in tags.stdout.split()]
    return [name for name in names if VERSION.fullmatch(name)]


if __name__ == "__main__":
    main()

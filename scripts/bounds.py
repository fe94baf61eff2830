"""Change the upper bounds of dependencies: python scripts/bounds.py {lift,raise} [FILE ...].

lift removes them, for a try with the newest releases: "name>=1.2,<2" becomes "name>=1.2".
raise asks the package index, by uv, for the newest stable releases, and moves each bound that one of them
is at or beyond to the next number of the same length: <0.166 becomes <0.167, and <3 becomes <4. It prints
a list of what it has raised, for a pull request.

FILE is any file in which requirements are quoted; by default, those of FILES. Lower bounds, extras,
markers and comments stay. Any Python 3.11 runs it, without a package.
"""

import re
import shutil
import subprocess
import sys
import tomllib
from argparse import ArgumentParser
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
FILES = [
    "pyproject.toml",
    "template/pyproject.toml",
    "template/scripts/update.py",
    "scripts/demo.sh",
]
REQUIREMENT = re.compile(
    r"""
    "(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)
    (?P<lower>(?:\[[^]"]*\])?>=[0-9][A-Za-z0-9.]*)
    (?P<comma>,[ ]?)<(?P<upper>[0-9]+(?:\.[0-9]+)*)
    (?P<marker>[ ]?;[^"]*)?"
    """,
    re.VERBOSE,
)


def main() -> None:
    """Change the files, or say why not."""
    parser = ArgumentParser()
    parser.add_argument("command", choices=["lift", "raise"])
    parser.add_argument("files", nargs="*", type=Path, metavar="FILE")
    arguments = parser.parse_args()
    files = arguments.files or [REPOSITORY / name for name in FILES]
    texts = {file: file.read_text("utf-8") for file in files}
    names = {match["name"] for text in texts.values() for match in REQUIREMENT.finditer(text)}
    if not names:
        sys.exit(f"No requirement has an upper bound in {', '.join(map(str, files))}.")
    if arguments.command == "lift":
        new = {file: lift(text) for file, text in texts.items()}
    else:
        newest = newest_releases(names)
        new = {file: raise_bounds(text, newest) for file, text in texts.items()}
        lines = {line for text in texts.values() for line in describe(text, newest)}
        print(*sorted(lines), sep="\n", end="\n" if lines else "")
    for file, text in new.items():
        if text != texts[file]:
            file.write_text(text, "utf-8")


def lift(text: str) -> str:
    """Remove every upper bound."""
    return REQUIREMENT.sub(lambda match: requirement(match, ""), text)


def raise_bounds(text: str, newest: dict[str, str]) -> str:
    """Raise the upper bounds that the newest releases are at or beyond."""

    def change(match: re.Match[str]) -> str:
        upper = raised(match["upper"], newest[match["name"]])
        return requirement(match, f"{match['comma']}<{upper}") if upper else match[0]

    return REQUIREMENT.sub(change, text)


def describe(text: str, newest: dict[str, str]) -> list[str]:
    """List the bounds that would be raised, in Markdown."""
    return [
        f"- {match['name']} {newest[match['name']]}: `<{match['upper']}` becomes `<{upper}`"
        for match in REQUIREMENT.finditer(text)
        if (upper := raised(match["upper"], newest[match["name"]]))
    ]


def requirement(match: re.Match[str], upper: str) -> str:
    """Write a requirement with another upper bound, or with none."""
    return f'"{match["name"]}{match["lower"]}{upper}{match["marker"] or ""}"'


def raised(upper: str, newest: str) -> str | None:
    """Give the bound after the newest release, as long as the present bound; none if that holds."""
    bound = numbers(upper)
    release = numbers(newest)
    release += (0,) * (len(bound) - len(release))
    if release < bound:
        return None
    *leading, last = release[: len(bound)]
    return ".".join(map(str, (*leading, last + 1)))


def numbers(version: str) -> tuple[int, ...]:
    """Give the numbers of a stable version; .postN is not one of them."""
    stable, _, _ = version.partition(".post")
    return tuple(map(int, stable.split(".")))


def newest_releases(names: set[str]) -> dict[str, str]:
    """Ask for the newest stable releases that run on the oldest Python that the template supports."""
    if not shutil.which("uv"):
        sys.exit("uv is not on PATH: use `make bounds`, which brings it.")
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))["project"]
    python = project["requires-python"].removeprefix(">=")
    command = [
        *("uv", "pip", "compile", "--no-deps", "--upgrade", "--no-build", "--prerelease=disallow"),
        *("--quiet", "--no-header", "--no-annotate", f"--python-version={python}", "-"),
    ]
    text = "\n".join(sorted(names))
    result = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    if result.returncode:
        sys.exit(f"{result.stderr}uv cannot say which releases are the newest.")
    found = dict(line.split("==") for line in result.stdout.split())
    return {name: found[re.sub("[-_.]+", "-", name).lower()] for name in names}


if __name__ == "__main__":
    main()

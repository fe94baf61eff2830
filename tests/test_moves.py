"""moves.yml says where each file of an older version is now, and no migration is ever removed."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.projects import check
from tests.questions import REPOSITORY

REVISION = re.compile(r'^\+?revision\b[^=]*= "(\w+)"', re.MULTILINE)


@pytest.fixture
def history() -> None:
    """Skip a test where earlier commits are missing."""
    if check("git", "rev-parse", "--is-shallow-repository", cwd=REPOSITORY).strip() == "true":
        pytest.skip("this clone has no history: git fetch --unshallow")


def log(*arguments: str) -> str:
    """Ask git for changes of all commits; a rename is a removal and an addition."""
    return check("git", "log", "--format=", "--no-renames", *arguments, cwd=REPOSITORY)


def files_of(folder: Path) -> set[str]:
    """List the files below a folder that git knows or would add."""
    listed = check(
        *("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"), cwd=folder
    )
    return {name for name in listed.split("\0") if (folder / name).is_file()}


def faults(moves: dict[str, Any], ever: set[str], now: set[str]) -> Iterator[str]:
    """Yield what is wrong with moves.yml, from the paths of all versions and those of this one."""
    moved, gone = moves["moved"], moves["gone"]
    for path in sorted(ever - now - moved.keys() - set(gone)):
        yield f"{path} is missing: add it to moved or to gone"
    for path in sorted({*moved, *gone} & now):
        yield f"{path} is in template/: remove the entry"
    for path in sorted({*moved, *gone} - ever):
        yield f"{path} was never in template/: remove the entry"
    for path in sorted(moved.keys() & set(gone)):
        yield f"{path} is in both lists"
    for path in moved:
        if end_of(path, moved) not in now:
            yield f"{path} leads to {end_of(path, moved)}, which is not in template/"


def end_of(path: str, moved: dict[str, str]) -> str:
    """Follow a chain of moves; where it leads back to itself, its first path."""
    seen = {path}
    end = moved[path]
    while end in moved and end not in seen:
        seen.add(end)
        end = moved[end]
    return end


@pytest.mark.usefixtures("history")
def test_each_path_of_an_older_version_is_known() -> None:
    added = log("--diff-filter=A", "--name-only", "-z", "--", "template").split("\0")
    ever = {path.strip().removeprefix("template/") for path in added if path.strip()}
    moves = yaml.safe_load((REPOSITORY / "moves.yml").read_text("utf-8"))
    assert list(moves) == ["moved", "gone"]
    assert list(faults(moves, ever, files_of(REPOSITORY / "template"))) == []


@pytest.mark.parametrize(
    ("moves", "fault"),
    [
        ({"moved": {}, "gone": []}, "old is missing: add it to moved or to gone"),
        ({"moved": {"old": "new"}, "gone": []}, None),
        ({"moved": {"old": "newer", "newer": "new"}, "gone": []}, None),
        ({"moved": {}, "gone": ["old", "newer"]}, None),
        ({"moved": {"old": "none"}, "gone": []}, "old leads to none, which is not in template/"),
        (
            {"moved": {"old": "newer", "newer": "old"}, "gone": []},
            "old leads to old, which is not in template/",
        ),
        ({"moved": {"old": "new"}, "gone": ["old"]}, "old is in both lists"),
        ({"moved": {"old": "new"}, "gone": ["new"]}, "new is in template/: remove the entry"),
        ({"moved": {"odl": "new"}, "gone": ["old"]}, "odl was never in template/"),
    ],
)
def test_faults_of_the_list_are_found(moves: dict[str, Any], fault: str | None) -> None:
    ever = {"old", "new", *({"newer"} & {*moves["moved"], *moves["gone"]})}
    found = list(faults(moves, ever, {"new"}))
    assert bool(found) == bool(fault)
    assert fault is None or any(each.startswith(fault) for each in found)


@pytest.mark.usefixtures("history")
def test_no_migration_that_databases_have_run_is_removed() -> None:
    folder = "template/migrations/versions"
    ever = set(REVISION.findall(log("--patch", "--", folder)))
    files = (REPOSITORY / folder).glob("*.py")
    now = {each for file in files for each in REVISION.findall(file.read_text("utf-8"))}
    assert ever
    assert ever <= now

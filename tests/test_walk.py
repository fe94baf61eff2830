"""Projects of every landed version are taken to the newest one and across two more, with their edits."""

import itertools
import re
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from tests.edited import edit
from tests.projects import (
    CONFLICT,
    ENGINES,
    check,
    clone_history,
    commit_all,
    read_answers,
    run,
    snapshot,
)
from tests.services import use_environment
from tests.test_contributing import CHOICE, EXCLUDE, QUESTION, add_the_feature
from tests.test_renames import NEW, OLD, rename_the_question, sync, tag
from tests.updates import make_update

pytestmark = pytest.mark.slow

VERSIONS = ["1f13819", "bc77ddf", "06f7c37", "2c7180c", "45274bd", "v0.1.0"]
IN_CI = [("1f13819", "cookiecutter"), ("2c7180c", "copier")]
ADDRESS = "ada@example.com"
QUESTION_THAT_IS_YES = """farewell:
  type: bool
  help: Do you want farewells?
  default: true

"""
MARKERS = re.compile(r"^(<{7} yours|={7}|>{7} template .*)\n", re.MULTILINE)


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give all versions of the template, this working tree as v0.1.0, and two more."""
    folder = clone_history(tmp_path_factory.mktemp("walk"), "v0.1.0")
    release_second(folder)
    release_third(folder)
    return folder


def release_second(template: Path) -> None:
    """Ask two more questions, move a file, split one, and rename a question."""
    edit(template / "copier.yml", "docker:\n", f"{QUESTION_THAT_IS_YES}docker:\n")
    tree = template / "template"
    check("git", "mv", "scripts/routes.py", "scripts/list_routes.py", cwd=tree)
    edit(tree / "Makefile", "scripts.routes", "scripts.list_routes")
    edit(
        template / "moves.yml", "moved:\n", "moved:\n  scripts/routes.py: scripts/list_routes.py\n"
    )
    head, *parts = (tree / "tests" / "test_health.py").read_text("utf-8").split("\n\n\n")
    for name, half in (("test_health.py", parts[:5]), ("test_readiness.py", parts[5:])):
        text = "\n\n\n".join([head, *parts[:3], *half]).rstrip("\n")
        (tree / "tests" / name).write_text(f"{text}\n", "utf-8")
    add_the_feature(template)
    check("git", "tag", "--delete", "v0.2.0", cwd=template)
    rename_the_question(template)


def release_third(template: Path) -> None:
    """Remove the feature that the second one has added."""
    tree = template / "template"
    for text in (CHOICE, QUESTION, EXCLUDE.removeprefix("_exclude:\n")):
        edit(template / "copier.yml", text, "")
    features = tree / "app" / "features.py"
    text = re.sub(r" *# {% if welcome %}\n.*\n *# {% endif %}\n", "", features.read_text("utf-8"))
    features.write_text(text, "utf-8")
    for name in ("app/welcome.py", "tests/test_welcome.py"):
        (tree / name).unlink()
        edit(template / "moves.yml", "gone:\n", f"gone:\n  - {name}\n")
    sync(template)
    tag(template, "v0.3.0")


def start(template: Path, version: str, engine: str, folder: Path) -> Path:
    """Write a project from a version by an engine's own command."""
    if engine == "copier":
        data = ("--data", f"{OLD}={ADDRESS}", "--vcs-ref", version)
        project = folder / "my-service"
        check("copier", "copy", "--defaults", "--quiet", *data, template, project, cwd=folder)
        return project
    old = folder / "template"
    check("git", "clone", "--quiet", str(template), str(old), cwd=folder)
    check("git", "checkout", "--quiet", version, cwd=old)
    answers = ("--no-input", "--default-config", str(old), f"{OLD}={ADDRESS}")
    check("cookiecutter", *answers, cwd=folder)
    # the clone stays at its version; the project remembers where it came from
    text = (folder / "my-service" / ".copier-answers.yml").read_text("utf-8")
    text = text.replace(str(old), str(template))
    (folder / "my-service" / ".copier-answers.yml").write_text(text, "utf-8")
    return folder / "my-service"


def edit_everything(project: Path) -> list[str]:
    """Insert a line of the owner's into each module; return the paths."""
    edited = []
    for path in sorted(project.rglob("*.py")):
        lines = path.read_text("utf-8").splitlines(keepends=True)
        places = [i for i, line in enumerate(lines) if line[0].isalpha() and lines.count(line) == 1]
        if places:
            name = str(path.relative_to(project))
            lines.insert(places[len(places) // 2], f"# mine: {name}\n")
            path.write_text("".join(lines), "utf-8")
            edited.append(name)
    commit_all(project, "Edit")
    return edited


def expect_edits(project: Path, edited: list[str], result: CompletedProcess[str]) -> list[str]:
    """Expect each edit in a file, or in the list of what is deleted; return those that are left.

    Conflicts are resolved by keeping both sides.
    """
    assert "Traceback" not in result.stderr
    text = "".join(content.decode("utf-8", "replace") for _, content in snapshot(project).values())
    left = [name for name in edited if f"# mine: {name}\n" in text]
    for name in set(edited) - set(left):
        assert f"  {name}: deleted, with your edits\n" in result.stdout
    conflicts = [
        name for name, (_, content) in snapshot(project).items() if CONFLICT.search(content)
    ]
    assert (result.returncode != 0) == bool(conflicts), result.stdout + result.stderr
    assert all(f"\n  {name}\n" in result.stdout for name in conflicts)
    for name in conflicts:
        both = MARKERS.sub("", (project / name).read_text("utf-8"))
        (project / name).write_text(both, "utf-8")
    commit_all(project, "Update")
    return left


@pytest.mark.parametrize(
    ("version", "engine"),
    [
        pytest.param(*walk, marks=[] if walk in IN_CI else pytest.mark.proof)
        for walk in itertools.product(VERSIONS, ENGINES)
    ],
)
def test_a_project_of_a_landed_version_crosses_all_releases(
    template: Path, tmp_path: Path, version: str, engine: str
) -> None:
    project = start(template, version, engine, tmp_path)
    commit_all(project)
    edited = edit_everything(project)
    environment = {**use_environment(project), "YES": "1"}

    # as docs/updating.md tells whoever has no such script yet
    clone = tmp_path / "groundwork"
    check("git", "clone", "--quiet", "--depth", "1", f"file://{template}", str(clone), cwd=tmp_path)
    script = clone / "template" / "scripts" / "update.py"
    command = ("uv", "run", "--quiet", "--script", script, "to=v0.1.0")
    edited = expect_edits(project, edited, run(*command, cwd=project, **environment))
    answers = read_answers(project)
    assert answers["_commit"] == "v0.1.0"

    second = make_update(project, "to=v0.2.0", "welcome=true", YES="1")
    edited = expect_edits(project, edited, second)
    answers |= {"_commit": "v0.2.0", "welcome": True, "farewell": True, NEW: answers.pop(OLD)}
    assert read_answers(project) == answers
    assert answers[NEW] == ADDRESS
    moved = (project / "scripts" / "list_routes.py").read_text("utf-8")
    assert "def main" in moved
    assert ("# mine: scripts/routes.py\n" in moved) == ("scripts/routes.py" in edited)
    assert not (project / "scripts" / "routes.py").exists()
    assert (project / "tests" / "test_readiness.py").exists()

    edit(project / "app" / "welcome.py", "Say hello.", "Say good morning.")
    commit_all(project)
    third = make_update(project, YES="1")
    assert "app/welcome.py: deleted, with your edits" in third.stdout
    expect_edits(project, edited, third)
    assert "welcome" not in (project / "app" / "features.py").read_text("utf-8")
    assert not (project / "app" / "welcome.py").exists()
    del answers["welcome"]
    assert read_answers(project) == answers | {"_commit": "v0.3.0"}

"""The five steps of CONTRIBUTING.md add a feature that both engines write when it is asked for.

Projects that are older than the feature take it by plain `copier update`.
"""

from pathlib import Path

import pytest

from tests.edited import edit
from tests.projects import (
    BIN,
    check,
    clone_template,
    commit_all,
    expect_files,
    expect_no_conflict,
    generate,
    read_answers,
    snapshot,
    take_newest,
)
from tests.services import install, tool

pytestmark = pytest.mark.slow

FEATURE = '''"""Greet whoever asks."""

from fastapi import APIRouter

from app import API_PREFIX

router = APIRouter(prefix=f"{API_PREFIX}/welcomes", tags=["welcome"])


@router.get("/{name}")
async def greet(name: str) -> str:
    """Say hello."""
    return f"Hello, {name}"
'''
CHOICE = """    Greetings:
      value: welcome
      validator: "{{ unavailable.welcome | default('') }}"
"""
QUESTION = """welcome:
  type: bool
  help: Do you want greetings?
  ask: "{{ updating }}"
  default: "{{ 'welcome' in features }}"

"""
EXCLUDE = """_exclude:
  - |
    # {% set welcome = welcome | default(false) %}
    # {% if not welcome %}
    app/welcome.py
    tests/test_welcome.py
    # {% endif %}
"""
OPTION = """health:
  type: bool
  help: Do you want health checks?
  ask: "{{ updating }}"
  default: true

"""
OPTION_EXCLUDE = """_exclude:
  - |
    # {% set health = health | default(true) %}
    # {% if not health %}
    app/health.py
    tests/test_health.py
    # {% endif %}
"""
FEATURE_TEST = """from fastapi.testclient import TestClient


def test_a_name_is_greeted(client: TestClient) -> None:
    assert client.get("/api/v1/welcomes/Ada").json() == "Hello, Ada"
"""


def on(block: str) -> str:
    """Wrap a block in the feature's condition, at the block's own indentation."""
    indent = block[: len(block) - len(block.lstrip())]
    return f"{indent}# {{% if welcome %}}\n{block}{indent}# {{% endif %}}\n"


def add_the_feature(repository: Path, *, on_by_default: bool = False) -> None:
    """Follow the five steps, and release the result."""
    template = repository / "template"
    (template / "app" / "welcome.py").write_text(FEATURE, "utf-8")
    (template / "tests" / "test_welcome.py").write_text(FEATURE_TEST, "utf-8")

    questions = repository / "copier.yml"
    edit(
        questions,
        "    Docker image and Compose stack:\n",
        CHOICE + "    Docker image and Compose stack:\n",
    )
    edit(questions, "docker:\n", f"{QUESTION}docker:\n")
    edit(questions, "_exclude:\n", EXCLUDE)
    if on_by_default:
        edit(questions, "else ['jwt_auth', ", "else ['welcome', 'jwt_auth', ")

    features = template / "app" / "features.py"
    users = "from app.users import router as users\n# {% endif %}\n"
    edit(features, users, users + on("from app.welcome import router as welcome\n"))
    metrics = "    # {% if telemetry %}\n    add_metrics(app, settings)\n"
    edit(features, metrics, on("    app.include_router(welcome)\n") + metrics)

    for script in ("sync_cookiecutter.py", "sync_readme.py"):
        check("python", f"scripts/{script}", cwd=repository)
    commit_all(repository, "Add a feature")
    check("git", "tag", "v0.2.0", cwd=repository)


def test_the_five_steps_add_a_feature(tmp_path: Path) -> None:
    repository = clone_template(tmp_path / "template")
    plain = snapshot(generate("copier", repository, tmp_path / "before", {}))
    add_the_feature(repository)

    # the engine's own command: a process of its own reads this repository's hooks
    for engine, arguments in {
        "copier": ["copy", "--defaults", "--vcs-ref", "HEAD", "--data", "welcome=true"],
        "cookiecutter": ["--no-input", "--default-config"],
    }.items():
        target = [str(tmp_path / engine / "my-service")] if engine == "copier" else ["welcome=yes"]
        (tmp_path / engine).mkdir()
        check(engine, *arguments, str(repository), *target, cwd=tmp_path / engine)
    project = tmp_path / "copier" / "my-service"
    expect_files(project, snapshot(tmp_path / "cookiecutter" / "my-service"))
    install(project)
    tool(project, "ruff", "check")
    tool(project, "ruff", "format", "--check")
    tool(project, "mypy")
    tool(project, "pytest", "-q", "tests/test_welcome.py")

    without = snapshot(generate("copier", repository, tmp_path / "after", {}))
    del plain[".copier-answers.yml"], without[".copier-answers.yml"]
    assert without == plain


@pytest.mark.parametrize(
    ("engine", "on_by_default"),
    [pytest.param("copier", False, marks=pytest.mark.proof), ("cookiecutter", True)],
)
def test_a_project_that_is_older_than_the_feature_takes_the_release(
    tmp_path: Path, engine: str, *, on_by_default: bool
) -> None:
    repository = clone_template(tmp_path / "template")
    project = generate(engine, repository, tmp_path, {})
    commit_all(project)
    before = read_answers(project)
    add_the_feature(repository, on_by_default=on_by_default)

    # the command itself: its output would show a traceback
    printed = check(BIN / "copier", "update", "--defaults", cwd=project)
    assert "Traceback" not in printed
    expect_no_conflict(project)
    assert read_answers(project) == {**before, "_commit": "v0.2.0", "welcome": False}
    # the release changes nothing else in a project without the feature
    assert check("git", "status", "--porcelain", cwd=project) == " M .copier-answers.yml\n"

    commit_all(project)
    check(
        *(BIN / "copier", "update", "--defaults", "--vcs-ref=:current:", "--data", "welcome=true"),
        cwd=project,
    )
    expect_no_conflict(project)
    assert (project / "app" / "welcome.py").read_text("utf-8") == FEATURE
    assert "welcome" in (project / "app" / "features.py").read_text("utf-8")


def test_a_file_of_the_feature_that_the_owner_has_written_stays(tmp_path: Path) -> None:
    repository = clone_template(tmp_path / "template")
    project = generate("copier", repository, tmp_path, {})
    own = '"""Welcome our guests."""\n'
    (project / "app" / "welcome.py").write_text(own, "utf-8")
    commit_all(project)
    add_the_feature(repository)

    take_newest(project)

    expect_no_conflict(project)
    assert (project / "app" / "welcome.py").read_text("utf-8") == own


def test_what_becomes_optional_stays_in_older_projects_as_it_is(tmp_path: Path) -> None:
    repository = clone_template(tmp_path / "template")
    questions = repository / "copier.yml"
    project = generate("copier", repository, tmp_path, {})
    edit(project / "app" / "health.py", "time_limit: float = 2.0", "time_limit: float = 5.0")
    (project / "tests" / "test_health.py").unlink()
    commit_all(project)
    edited = snapshot(project)
    # nobody would do that to health, which every project has
    edit(questions, "docker:\n", OPTION + "docker:\n")
    edit(questions, "_exclude:\n", OPTION_EXCLUDE)
    for script in ("sync_cookiecutter.py", "sync_readme.py"):
        check("python", f"scripts/{script}", cwd=repository)
    commit_all(repository, "Make health optional")
    check("git", "tag", "v0.2.0", cwd=repository)

    take_newest(project)

    edited.pop(".copier-answers.yml")
    assert read_answers(project)["health"] is True
    updated = snapshot(project)
    updated.pop(".copier-answers.yml")
    assert updated == edited

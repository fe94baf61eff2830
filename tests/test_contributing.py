"""The five steps of CONTRIBUTING.md add a feature that both engines write, and only when asked."""

from pathlib import Path

import pytest

from tests.living import edit
from tests.projects import check, clone_template, expect_files, generate, snapshot
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
FEATURE_TEST = """from fastapi.testclient import TestClient


def test_a_name_is_greeted(client: TestClient) -> None:
    assert client.get("/api/v1/welcomes/Ada").json() == "Hello, Ada"
"""


def on(block: str) -> str:
    """Wrap a block in the feature's condition, at the block's own indentation."""
    indent = block[: len(block) - len(block.lstrip())]
    return f"{indent}# {{% if welcome %}}\n{block}{indent}# {{% endif %}}\n"


def add_the_feature(repository: Path) -> None:
    """Follow the five steps."""
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
    paths = "".join(
        f"  - \"{{{{ '{path}' if not welcome else '' }}}}\"\n"
        for path in ("app/welcome.py", "tests/test_welcome.py")
    )
    edit(questions, "_exclude:\n", f"_exclude:\n{paths}")

    features = template / "app" / "features.py"
    users = "from app.users import router as users\n# {% endif %}\n"
    edit(features, users, users + on("from app.welcome import router as welcome\n"))
    metrics = "    # {% if telemetry %}\n    add_metrics(app, settings)\n"
    edit(features, metrics, on("    app.include_router(welcome)\n") + metrics)

    for script in ("sync_cookiecutter.py", "sync_readme.py"):
        check("python", f"scripts/{script}", cwd=repository)
    check("git", "add", "--all", cwd=repository)
    check(
        "git",
        *("-c", "user.name=T", "-c", "user.email=t@example.com"),
        "commit",
        "-qm",
        "x",
        cwd=repository,
    )


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

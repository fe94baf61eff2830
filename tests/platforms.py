"""The projects of a platform, in the combinations of answers that change its files."""

from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
from copier.errors import UserMessageError

from tests.projects import generate
from tests.questions import Answers
from tests.rendering import write
from tests.services import install

Projects = Callable[[str], Path]

NO_DATABASE: Answers = {"database": "none", "jwt_auth": False}
EVERYTHING: Answers = {"websockets": True, "background_tasks": True, "caching": True}
LONGEST_SLUG = "a" + "-slug" * 9 + "-end"


def projects_on_demand(
    platform: str,
    combinations: dict[str, Answers],
    template: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Projects:
    """Give the project of a combination by its name; it is written when it is first asked for."""

    @cache
    def project(name: str) -> Path:
        answers = {platform: True, "project_slug": "sample-service", **combinations[name]}
        return write(template, tmp_path_factory.mktemp(name), answers)

    return project


def install_everything(projects: Projects) -> Path:
    """Install what the service with everything on needs, which is enough for all; give its Python."""
    project = projects("everything")
    install(project)
    return project / ".venv" / "bin" / "python"


def has_module(project: Path, module: str) -> bool:
    """Tell whether `python -m MODULE` finds something to run in a project."""
    path = project / module.replace(".", "/")
    return path.with_suffix(".py").is_file() or (path / "__main__.py").is_file()


def expect_refusal(template: Path, folder: Path, answers: Answers, sentence: str) -> None:
    """Expect that the answers are refused with a sentence, and that nothing is written."""
    with pytest.raises(UserMessageError, match=sentence):
        generate("copier", template, folder, answers)
    assert not list(folder.iterdir())

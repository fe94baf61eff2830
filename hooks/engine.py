"""What cookiecutter needs to obey copier.yml: two Jinja extensions, named in cookiecutter.json.

Nothing here knows a question or a feature by name.
"""

import glob
import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from cookiecutter.exceptions import FailedHookException
from jinja2 import Environment, StrictUndefined, Template
from jinja2.ext import Extension
from jinja2.runtime import Context
from jinja2.utils import missing

REPOSITORY = Path(__file__).resolve().parent.parent
PROJECT_FOLDER = "{{cookiecutter.project_slug}}"


@cache
def load_config() -> dict[str, Any]:
    """Read copier.yml: the questions by name, and copier's own settings under `_` names."""
    config: dict[str, Any] = yaml.safe_load((REPOSITORY / "copier.yml").read_text("utf-8"))
    return config


def is_asked(question: dict[str, Any]) -> bool:
    """Tell a question from a value that copier.yml only computes (`when: false`)."""
    return question.get("when") is not False


class CopierContext(Context):
    """Resolve names as copier does: `project_name` instead of `cookiecutter.project_name`."""

    def resolve_or_missing(self, key: str) -> Any:
        """Look up `key` among the answers when Jinja itself does not know it."""
        value = super().resolve_or_missing(key)
        if value is not missing:
            return value
        answers = super().resolve_or_missing("cookiecutter")
        if answers is missing:
            return missing
        if key == "_copier_answers":
            return answers_to_remember(answers)
        if key == "_copier_conf":
            return copier_conf(answers)
        if key == "_message_after_copy":
            message = load_config()["_message_after_copy"]
            return copier_environment().from_string(message).render(cookiecutter=answers)
        return answers.get(key, answers.get(f"__{key}", missing))


def copier_conf(answers: dict[str, Any]) -> dict[str, Any]:
    """Give what copier.yml may ask about the run; cookiecutter refuses an existing folder itself."""
    folder = Path(answers.get("_output_dir", ""), answers.get("project_slug", ""))
    return {"defaults": True, "overwrite": True, "dst_path": folder}


class CopierDialect(Extension):
    """Copier's names and filters, for cookiecutter's Jinja environment."""

    def __init__(self, environment: Environment) -> None:
        """Teach `environment` what the templates expect."""
        super().__init__(environment)
        environment.context_class = CopierContext
        environment.filters |= {
            "fileglob": glob.glob,
            "python": repr,
            "realpath": os.path.realpath,
            "regex_replace": lambda value, pattern, new: re.sub(pattern, new, value),
            "regex_search": lambda value, pattern: re.search(pattern, value),
            "to_json": json.dumps,
            "to_nice_yaml": lambda value: yaml.dump(
                value, indent=4, allow_unicode=True, default_flow_style=False
            ),
        }


class UserText(Extension):
    """Keep answers from being rendered: cookiecutter takes each for a template."""

    def __init__(self, environment: Environment) -> None:
        """Learn which texts without a file name are ours: the defaults and the hooks."""
        super().__init__(environment)
        environment.filters["checked"] = checked
        defaults = json.loads((REPOSITORY / "cookiecutter.json").read_text("utf-8")).values()
        hooks = (REPOSITORY / "hooks").glob("*.py")
        self.our_own = {text for text in defaults if isinstance(text, str)}
        self.our_own |= {hook.read_text("utf-8") for hook in hooks}

    def preprocess(self, source: str, name: str | None, filename: str | None = None) -> str:
        """Make a literal of every text that is neither a file of the template nor our own."""
        if name or filename or source in self.our_own:
            return source
        if source == PROJECT_FOLDER:
            return "{{ (cookiecutter | checked).project_slug }}"
        return literal(source)


def literal(text: str) -> str:
    """Write `text` as a template that renders to just this text."""
    escaped = "".join(f"\\U{ord(character):08x}" for character in text)
    return "{{ '" + escaped + "' }}"


def checked(answers: dict[str, Any]) -> dict[str, Any]:
    """Prepare to write the project: refuse bad answers, leave out what was not asked for.

    Rendering the name of the project's folder calls this, before anything is written.

    Raises:
        FailedHookException: one line for each bad answer; cookiecutter prints them.
    """
    repository = Path(answers["_repo_dir"])
    if faults := list(find_faults(answers)):
        discard_copy(repository)
        raise FailedHookException("\n".join(faults))
    exclude(answers, repository / PROJECT_FOLDER)
    answers["_src_path"] = find_address(answers["_template"], repository)
    return answers


def find_faults(answers: dict[str, Any]) -> Iterator[str]:
    """Yield a sentence for each answer that its validator or its choices refuse."""
    for name, question in load_config().items():
        if name.startswith("_") or not is_asked(question):
            continue
        choices = question.get("choices")
        if choices and answers[name] not in (
            choices.values() if isinstance(choices, dict) else choices
        ):
            yield f"{name}: {answers[name]!r} is not one of the choices."
        if fault := validators()[name].render(cookiecutter=answers):
            yield f"{name}: {fault}"


@cache
def validators() -> dict[str, Template]:
    """Compile the validators of all questions."""
    environment = copier_environment()
    return {
        name: environment.from_string(question.get("validator", ""))
        for name, question in load_config().items()
        if not name.startswith("_") and is_asked(question)
    }


def copier_environment() -> Environment:
    """Build the Jinja environment that copier.yml is written for."""
    options = {**load_config()["_envops"], "undefined": StrictUndefined}
    return Environment(extensions=[CopierDialect], **options)  # noqa: S701  # writes no HTML


def exclude(answers: dict[str, Any], tree: Path) -> None:
    """Remove from cookiecutter's copy of the template what `_exclude` names, as copier skips it."""
    environment = copier_environment()
    for pattern in load_config()["_exclude"]:
        path = environment.from_string(pattern).render(cookiecutter=answers)
        # as in .gitignore, a pattern without a slash matches at any depth
        found = (tree.glob(path) if "/" in path else tree.rglob(path)) if path else ()
        for each in list(found):
            if each.is_dir():
                shutil.rmtree(each)
            else:
                each.unlink()


def find_address(template: str, repository: Path) -> str:
    """Say where `copier update` finds the template again, from any folder and with no password.

    A local folder becomes absolute; a clone keeps its short form or names its origin.
    """
    if Path(template).expanduser().is_dir():
        return str(Path(template).expanduser().resolve())
    if template.startswith(("gh:", "gl:")):
        return template
    origin = git(repository, "config", "--get", "remote.origin.url") or template
    return re.sub(r"^(https?://)[^/@]*@", r"\1", origin)


def answers_to_remember(answers: dict[str, Any]) -> dict[str, Any]:
    """Build what `.copier-answers.yml` keeps: the template's address and commit, and the answers."""
    asked = [
        name
        for name, question in load_config().items()
        if not name.startswith("_") and is_asked(question)
    ]
    commit = git(Path(answers["_repo_dir"]), "describe", "--tags", "--always")
    return {
        **({"_commit": commit} if commit else {}),
        "_src_path": answers["_src_path"],
        **{name: answers[name] for name in asked},
    }


def git(repository: Path, *arguments: str) -> str:
    """Ask git about `repository`; an empty text when it is no clone (a zip file, a plain copy)."""
    if not (repository / ".git").exists():
        return ""
    command = ["git", "-C", str(repository), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()


def discard_copy(repository: Path) -> None:
    """Remove the copy of the template that cookiecutter made and would leave behind on a fault."""
    folder = repository.parent
    if folder.parent == Path(tempfile.gettempdir()) and folder.name.startswith("cookiecutter"):
        shutil.rmtree(folder)

"""What cookiecutter needs to obey copier.yml: two Jinja extensions, named in cookiecutter.json.

Nothing here knows a question or a feature by name.
"""

import atexit
import glob
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from cookiecutter.exceptions import FailedHookException
from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template, UndefinedError
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
    """Whether a person is asked: neither computed (`when: false`) nor copier's own (`secret`)."""
    return question.get("when") is not False and not question.get("secret")


def choices(question: dict[str, Any]) -> dict[str, Any]:
    """Map the labels of a question's choices to their values; empty for text and booleans."""
    values = question.get("choices", [])
    if isinstance(values, list):
        return {value: value for value in values}
    return {
        label: value["value"] if isinstance(value, dict) else value
        for label, value in values.items()
    }


def default_of(name: str) -> Any:
    """Return the default of a question in a new project; a template if it follows other answers."""
    config = load_config()
    default, environment = config[name]["default"], copier_environment()
    if not isinstance(default, str):
        return default
    features = environment.from_string(config["features"]["default"])
    selected = json.loads(features.render(updating=False, unavailable={}))
    try:
        text = environment.from_string(default).render(updating=False, features=selected)
    except UndefinedError:
        return default
    return text == "True" if config[name]["type"] == "bool" else text


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


class CookiecutterContext(CopierContext):
    """Refuse a bad answer before the next question, not after the last, where a person types."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        """Look at the answers so far, unless cookiecutter has asked all of them."""
        super().__init__(*arguments, **options)
        answers = super().resolve_or_missing("cookiecutter")
        if answers is not missing and "_repo_dir" not in answers and sys.stdin.isatty():
            texts = {name: answer for name, answer in answers.items() if isinstance(answer, str)}
            refuse(find_faults(texts), REPOSITORY)


def copier_conf(answers: dict[str, Any]) -> dict[str, Any]:
    """Give what copier.yml may ask about the run; cookiecutter refuses an existing folder itself."""
    folder = Path(answers.get("_output_dir", ""), answers.get("project_slug", ""))
    return {"defaults": False, "overwrite": True, "dst_path": folder}


class CopierDialect(Extension):
    """Copier's names and filters, for cookiecutter's Jinja environment."""

    def __init__(self, environment: Environment) -> None:
        """Teach `environment` what the templates expect."""
        super().__init__(environment)
        environment.context_class = CopierContext
        environment.loader = environment.loader or FileSystemLoader(REPOSITORY)
        environment.globals["UNSET"] = ""
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
        environment.context_class = CookiecutterContext
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
    disable_impossible_defaults(answers)
    refuse(find_faults(answers), repository)
    exclude(answers, repository / PROJECT_FOLDER)
    answers["_src_path"] = find_address(answers["_template"], repository)
    return answers


def refuse(faults: Iterable[str], repository: Path) -> None:
    """End the run if there are faults; cookiecutter prints them.

    Raises:
        FailedHookException: one line for each fault.
    """
    if text := "\n".join(faults):
        discard_copy(repository)
        message = f"{text}\nNothing was written."
        raise FailedHookException(message)


def disable_impossible_defaults(answers: dict[str, Any]) -> None:
    """Answer no where the default is yes, but does not go with other answers, and report it.

    cookiecutter asks every question and does not know a default from an answer that equals it.
    """
    for name, question in load_config().items():
        if name.startswith("_") or not is_asked(question) or question["type"] != "bool":
            continue
        if answers[name] and default_of(name) and (fault := fault_of(name, answers)):
            answers[name] = False
            reason, _, _ = fault.partition(" Set ")
            print(f"{name} is off: {reason}")  # noqa: T201  # as cookiecutter does


def find_faults(answers: dict[str, Any]) -> Iterator[str]:
    """Yield a sentence for each answer so far that its validator or its choices refuse."""
    for name, question in load_config().items():
        if name.startswith("_") or not is_asked(question) or name not in answers:
            continue
        values = choices(question).values()
        if values and answers[name] not in values:
            yield f"{name}: Choose from {', '.join(values)}. Got: {json.dumps(answers[name])}."
        elif fault := fault_of(name, answers):
            yield f"{name}: {fault}"


def fault_of(name: str, answers: dict[str, Any]) -> str:
    """Return why the validator of a question refuses its answer; empty if it does not."""
    validator = validators().get(name)
    return validator.render(cookiecutter=answers).strip() if validator else ""


@cache
def validators() -> dict[str, Template]:
    """Compile the validators of all questions that have one."""
    environment = copier_environment()
    return {
        name: environment.from_string(question["validator"])
        for name, question in load_config().items()
        if not name.startswith("_") and is_asked(question) and "validator" in question
    }


def copier_environment() -> Environment:
    """Build the Jinja environment that copier.yml is written for."""
    options = {**load_config()["_envops"], "undefined": StrictUndefined}
    return Environment(extensions=[CopierDialect], **options)  # noqa: S701  # writes no HTML


def exclude(answers: dict[str, Any], tree: Path) -> None:
    """Remove from cookiecutter's copy of the template what `_exclude` names, as copier skips it."""
    for pattern in excluded_patterns(answers):
        # as in .gitignore, a pattern without a slash matches at any depth
        for each in list(tree.glob(pattern) if "/" in pattern else tree.rglob(pattern)):
            if each.is_dir():
                shutil.rmtree(each)
            else:
                each.unlink()


def excluded_patterns(answers: dict[str, Any]) -> Iterator[str]:
    """Yield the patterns that `_exclude` has for these answers; copier too reads one a line."""
    for template in exclude_templates():
        yield from filter(None, template.render(cookiecutter=answers).splitlines())


@cache
def exclude_templates() -> list[Template]:
    """Compile the items of `_exclude`."""
    environment = copier_environment()
    return [environment.from_string(text) for text in load_config()["_exclude"]]


def find_address(template: str, repository: Path) -> str:
    """Return where `copier update` finds the template again, from any folder.

    A local folder becomes absolute; a clone names its origin, marked as git's for copier. The file that
    stores the address removes the mark where it is not needed, and a password.
    """
    if Path(template).expanduser().is_dir():
        return str(Path(template).expanduser().resolve())
    origin = git(repository, "config", "--get", "remote.origin.url")
    return f"git+{origin}" if "://" in origin else origin or template


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
    folder = repository.resolve().parent
    temporary = Path(tempfile.gettempdir()).resolve()
    if folder.parent == temporary and folder.name.startswith("cookiecutter"):
        shutil.rmtree(folder, ignore_errors=True)


# cookiecutter imports this from its copy, in which hooks/pre_prompt.py has renamed the template's
# folder; it removes the copy itself only after a success, and leaves an empty folder then
if (REPOSITORY / PROJECT_FOLDER).is_dir():
    atexit.register(discard_copy, REPOSITORY)

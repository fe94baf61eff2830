"""The questions of copier.yml, and the combinations of answers that the tests walk through."""

import itertools
from collections import OrderedDict
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from allpairspy import AllPairs

from hooks.engine import copier_environment, find_faults, is_asked

REPOSITORY = Path(__file__).parent.parent
CONFIG: dict[str, Any] = yaml.safe_load((REPOSITORY / "copier.yml").read_text("utf-8"))
QUESTIONS: dict[str, dict[str, Any]] = {
    name: question
    for name, question in CONFIG.items()
    if not name.startswith("_") and is_asked(question)
}

NASTY = "-Ünï \"q\" 's' \\ {{ x }} # {% if %} {# c #} ${{ y }} <b>&amp;*_`😀: %s | [a](b) $HOME #"
"""Legal text that breaks a template which forgets to escape it, in any format it lands in."""

Answers = dict[str, Any]


def choices(question: dict[str, Any]) -> list[Any]:
    """List the answers that a question allows; empty for free text."""
    if question["type"] == "bool":
        return [True, False]
    values = question.get("choices", [])
    return list(values.values()) if isinstance(values, dict) else list(values)


CHOICES = {name: choices(question) for name, question in QUESTIONS.items() if choices(question)}
FREE_TEXT = [name for name in QUESTIONS if name not in CHOICES]


@cache
def default_answers() -> Answers:
    """Answer every question with its default."""
    answers: Answers = {}
    environment = copier_environment()
    for name, question in CONFIG.items():
        if name.startswith("_"):
            continue
        default = question["default"]
        if isinstance(default, str):
            default = environment.from_string(default).render(cookiecutter=answers)
        answers[name if is_asked(question) else f"__{name}"] = default
    return {name: answers[name] for name in QUESTIONS}


def is_supported(answers: Answers) -> bool:
    """Tell whether copier.yml accepts these answers, beside no or yes to all that are not given."""
    switches = [name for name, question in QUESTIONS.items() if question["type"] == "bool"]
    return any(
        not any(find_faults({**all_defaults(), **dict.fromkeys(switches, rest), **answers}))
        for rest in (False, True)
    )


def with_what_they_need(answers: Answers) -> Answers:
    """Add the switches that must be turned for these answers to be accepted, if any."""
    if not any(find_faults({**all_defaults(), **answers})):
        return answers
    defaults = default_answers()
    for name, question in QUESTIONS.items():
        if question["type"] == "bool" and name not in answers:
            attempt = {**answers, name: not defaults[name]}
            if not any(find_faults({**all_defaults(), **attempt})):
                return attempt
    message = f"no single switch makes {answers} acceptable"
    raise AssertionError(message)


def all_defaults() -> Answers:
    """Answer every question with its default, and compute what copier.yml computes."""
    hidden = {f"__{name}": value["default"] for name, value in CONFIG.items() if is_hidden(value)}
    return {**default_answers(), **hidden}


def is_hidden(value: object) -> bool:
    """Tell a computed value of copier.yml from a question or a setting."""
    return isinstance(value, dict) and not is_asked(value)


def every_combination(names: Iterable[str]) -> list[Answers]:
    """Combine all answers to the named questions, without the unsupported combinations."""
    names = list(names)
    products = itertools.product(*(CHOICES[name] for name in names))
    combinations = [dict(zip(names, values, strict=True)) for values in products]
    return [answers for answers in combinations if is_supported(answers)]


def covering_array(strength: int, **narrowed: list[Any]) -> list[Answers]:
    """Cover every combination of `strength` answers, over all questions, with few projects.

    Free text is either the default or nasty. `narrowed` leaves some questions fewer answers.
    """
    parameters = OrderedDict({**CHOICES, **narrowed, "text": ["default", "nasty"]})
    single = {name: values[0] for name, values in parameters.items() if len(values) == 1}
    for name in single:
        del parameters[name]
    names = list(parameters)
    rows = AllPairs(
        parameters,
        n=strength,
        filter_func=lambda row: is_supported(single | _answers(zip(names, row, strict=False))),
    )
    return [single | _answers(zip(names, row, strict=True)) for row in rows]


def _answers(pairs: Iterable[tuple[str, Any]]) -> Answers:
    answers = dict(pairs)
    if answers.pop("text", "default") == "nasty":
        answers |= {"project_name": NASTY, "project_slug": "nasty-name", "description": NASTY}
        answers |= {"author_name": NASTY, "author_email": "nasty+mail@example.com"}
    return answers


def label(answers: Answers) -> str:
    """Name a combination in a test's id, such as `cors-github-3.13`."""
    words = []
    for name, value in answers.items():
        if name in CHOICES:
            words.append({True: name, False: f"no_{name}"}.get(value, str(value)))
    return "-".join(words) + ("-nasty" if "project_name" in answers else "")

"""The questions of copier.yml, and the combinations of answers that the tests walk through."""

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from hooks import engine
from hooks.engine import copier_environment, default_of, find_faults, is_asked

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
    return list(engine.choices(question).values())


CHOICES = {name: choices(question) for name, question in QUESTIONS.items() if choices(question)}
FREE_TEXT = [name for name in QUESTIONS if name not in CHOICES]


@cache
def default_answers() -> Answers:
    """Answer every question with its default."""
    answers: Answers = {}
    environment = copier_environment()
    for name in QUESTIONS:
        default = default_of(name)
        if isinstance(default, str):
            default = environment.from_string(default).render(cookiecutter=answers)
        answers[name] = default
    return answers


def preset(name: str) -> Answers:
    """Read the answers of `presets/NAME.yml`."""
    answers: Answers = yaml.safe_load((REPOSITORY / "presets" / f"{name}.yml").read_text("utf-8"))
    return answers


def is_supported(answers: Answers) -> bool:
    """Tell whether copier.yml accepts these answers, beside no to all that are not given, save one.

    No switch needs two others, so one is enough.
    """
    return _is_supported(frozenset(answers.items()))


@cache
def _is_supported(items: frozenset[tuple[str, Any]]) -> bool:
    answers = dict(items)
    switches = [name for name, question in QUESTIONS.items() if question["type"] == "bool"]
    nothing = dict.fromkeys(switches, False)
    return any(
        not any(find_faults({**all_defaults(), **nothing, **needed, **answers}))
        for needed in ({}, *({name: True} for name in switches if name not in answers))
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
    """Whether this is a computed value of copier.yml that both engines have."""
    return isinstance(value, dict) and value.get("when") is False and not value.get("secret")


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
    parameters = {**CHOICES, **narrowed, "text": ["default", "nasty"]}
    # the order in which a greedy choice needs the fewest rows: the most answers first
    order = sorted(parameters, key=lambda name: -len(parameters[name]))
    parameters = {name: parameters[name] for name in order}
    return [
        _answers(row.items())
        for row in greedy_rows(
            parameters, strength, lambda row: is_supported(_answers(row.items()))
        )
    ]


def greedy_rows(
    parameters: Mapping[str, list[Any]], strength: int, supports: Callable[[Answers], bool]
) -> Iterator[Answers]:
    """Yield rows until each supported combination of `strength` answers is in one.

    A row starts with a combination that none has yet, and takes for each other question the answer
    that brings the most new ones.
    """
    order = list(parameters)

    def parts(row: Answers) -> set[tuple[tuple[str, Any], ...]]:
        items = sorted(row.items(), key=lambda item: order.index(item[0]))
        return set(itertools.combinations(items, strength))

    covered: set[tuple[tuple[str, Any], ...]] = set()
    for names in itertools.combinations(order, strength):
        for values in itertools.product(*(parameters[name] for name in names)):
            row = dict(zip(names, values, strict=True))
            if tuple(row.items()) in covered or not supports(row):
                continue
            for name in order:
                if name not in row:
                    candidates = [row | {name: value} for value in parameters[name]]
                    possible = [candidate for candidate in candidates if supports(candidate)]
                    row = max(possible, key=lambda candidate: len(parts(candidate) - covered))
            covered |= parts(row)
            yield row


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

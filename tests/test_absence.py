"""What was not asked for is not there: no file, import, dependency, setting, manifest or sentence."""

import re
from pathlib import Path
from typing import Any

import pytest

from tests.questions import CHOICES, Answers, covering_array, label
from tests.rendering import render

VOCABULARY: dict[tuple[str, Any], str] = {
    ("database", "none"): r"sqlalchemy|alembic|\bmigrat|database|\bsql|app[./]items|/items\b",
    ("database", "sqlite"): r"asyncpg|postgres|\bPG[A-Z]+\b",
    ("jwt_auth", False): (
        r"\bjwt|pwdlib|argon2|\bauth\b|AUTH_SECRETS|app[./]users|/users\b|administrator"
        r"|access.token|refresh.token|\blog(s|ged)? in\b|\blogins?\b|(?<!service-)\baccounts?\b"
    ),
    ("cors", False): r"\bcors|preflight|other origins",
    ("rate_limiting", False): r"rate.?limit|app[./]limits|tests[./]limits|\"limits",
    ("telemetry", False): (
        r"telemetry|otlp|\botel|prometheus|/metrics\b|\btrac(e|es|ing)\b|collector"
    ),
    ("websockets", False): r"websocket|\bws\b|\brooms?\b|\b1012\b|\b1013\b",
    ("background_tasks", False): r"taskiq|app[./]jobs|/jobs\b|scheduler|\bpurge",
    ("caching", False): r"cashews|app[./]cache|\betag|if-none-match|\b304\b",
    ("docker", False): r"docker|\bcontainers?\b|\bcompose\b",
    ("kubernetes", False): r"kubernetes|kubectl|kustomize|\bpods?\b",
    ("heroku", False): r"heroku|procfile|app\.json|\bdynos?\b",
    ("aws", False): r"\baws\b|cloudformation|fargate|\becs\b",
    ("ci", "github"): r"gitlab|renovate",
    ("ci", "gitlab"): r"github|dependabot",
    ("ci", "none"): r"github|dependabot|gitlab|renovate",
}
"""The words of what an answer leaves out."""

SWITCHES = [name for name, values in CHOICES.items() if False in values]

ELSEWHERE = {
    ("database", "sqlite"): ("tests/telemetry/test_database.py",),
    ("jwt_auth", False): ("tests/test_logs.py",),
    ("websockets", False): (
        *("app/limits/", "app/middleware.py", "tests/limits/", "tests/test_problems.py"),
    ),
    ("caching", False): ("tests/test_problems.py",),
}
"""Where such a word is right without the answer: what the owner adds is logged and limited, too."""

UPDATES = "scripts/updat"
"""What changes the answers of a project knows all of them, and is the same in each project."""

ROWS = [answers for answers in covering_array(3) if "project_name" not in answers]
"""Without the texts that have every word in them."""


@pytest.mark.parametrize("answers", ROWS, ids=map(label, ROWS))
def test_what_is_left_out_leaves_no_word(template: Path, answers: Answers) -> None:
    files = render(template, answers)
    # it remembers each question by its name
    del files[".copier-answers.yml"]
    found = [
        f"{name}={answer}: {file}:{number}: {line}"
        for (name, answer), words in VOCABULARY.items()
        if answers[name] == answer
        for file, (_, content) in files.items()
        if not file.startswith((UPDATES, *ELSEWHERE.get((name, answer), ())))
        for number, line in enumerate([file, *content.decode("utf-8").splitlines()])
        if re.search(words, line, re.IGNORECASE)
    ]
    assert not found, "\n".join(found)


def test_nothing_mentions_redis_when_nothing_needs_it(template: Path) -> None:
    features = ("rate_limiting", "websockets", "background_tasks", "caching")
    platforms = {"kubernetes": True, "aws": True, "heroku": True}
    for host in CHOICES["ci"]:
        answers = {**dict.fromkeys(features, False), **platforms, "ci": host}
        files = render(template, answers)
        del files[".copier-answers.yml"]
        found = [name for name, (_, content) in files.items() if b"redis" in content.lower()]
        assert not found


def test_every_answer_that_leaves_something_out_has_its_words() -> None:
    left_out: set[tuple[str, Any]] = {(name, False) for name in SWITCHES}
    left_out |= {("database", "none"), ("database", "sqlite")}
    left_out |= {("ci", host) for host in CHOICES["ci"]}
    assert VOCABULARY.keys() == left_out


def test_each_word_is_one_that_the_answer_brings(template: Path) -> None:
    """Search for words that do turn up: a vocabulary without a match would show nothing."""
    whole = {"database": "postgresql", **dict.fromkeys(SWITCHES, True)}
    rendered = [render(template, {**whole, "ci": host}) for host in ("github", "gitlab")]
    text = "\n".join(
        f"{name}\n{content.decode('utf-8')}"
        for files in rendered
        for name, (_, content) in files.items()
        if name != ".copier-answers.yml"
    )
    for (name, answer), words in VOCABULARY.items():
        for word in alternatives(words):
            assert re.search(word, text, re.IGNORECASE), f"{name}={answer}: {word}"


def alternatives(words: str) -> list[str]:
    """Split a pattern at its outermost bars."""
    found, depth = [""], 0
    for character in words:
        depth += {"(": 1, ")": -1}.get(character, 0)
        if character == "|" and not depth:
            found.append("")
        else:
            found[-1] += character
    return found

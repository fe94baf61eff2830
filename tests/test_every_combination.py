"""Every combination of answers is a sound project, before anything of it is installed."""

import ast
import json
import re
import tomllib
from functools import cache
from pathlib import Path, PurePath

import pytest
import yaml

from tests.projects import Snapshot, check
from tests.questions import (
    CHOICES,
    Answers,
    covering_array,
    default_answers,
    every_combination,
    with_what_they_need,
)
from tests.questions import label as name_of
from tests.rendering import render, save

LEFTOVERS = re.compile(
    r"# \{[%#]|(?<!\$)\{\{(?!resolve:)|cookiecutter|\b_copier|groundwork", re.IGNORECASE
)
"""Template syntax and names of the tools; `${{` is GitHub's, `{{resolve:` CloudFormation's."""


def changes_python(name: str) -> bool:
    """Tell whether an answer to this question shows in the code: deployment files do not."""
    return name not in {
        *("license", "python_version", "docker", "kubernetes", "heroku", "aws", "ci"),
    }


COMBINATIONS = every_combination(filter(changes_python, CHOICES))
TRIPLES = covering_array(3)


@pytest.mark.slow
@pytest.mark.parametrize("answers", COMBINATIONS, ids=map(name_of, COMBINATIONS))
def test_a_combination_is_sound(template: Path, tmp_path: Path, answers: Answers) -> None:
    expect_soundness(template, tmp_path, answers)


@pytest.mark.parametrize("answers", TRIPLES, ids=map(name_of, TRIPLES))
def test_three_answers_of_any_kind_are_sound_together(
    template: Path, tmp_path: Path, answers: Answers
) -> None:
    expect_soundness(template, tmp_path, answers)


def expect_soundness(template: Path, tmp_path: Path, answers: Answers) -> None:
    """Expect files that parse, imports that resolve, and what ruff likes."""
    rendered = render(template, answers)
    files = {name: content.decode("utf-8") for name, (_, content) in rendered.items()}
    for name, text in files.items():
        assert text.endswith("\n") or not text, name
        assert not text.endswith("\n\n"), name
        assert "\n\n\n\n" not in text, name
        parse(PurePath(name).suffix, text)
        if name not in {".copier-answers.yml", "README.md", "LICENSE"} and not_nasty(answers):
            assert not LEFTOVERS.search(text), f"{name}: {LEFTOVERS.search(text)}"
    check_imports({name: text for name, text in files.items() if name.endswith(".py")})
    save(rendered, tmp_path)
    check("ruff", "check", "--no-cache", cwd=tmp_path)
    check("ruff", "format", "--check", "--no-cache", cwd=tmp_path)


def not_nasty(answers: Answers) -> bool:
    """Tell whether the texts are plain, so that template syntax can only be a leftover."""
    return "project_name" not in answers


@cache
def parse(suffix: str, text: str) -> None:
    """Parse a file by its kind; any fault is an exception."""
    match suffix:
        case ".toml":
            tomllib.loads(text)
        case ".json":
            json.loads(text)
        case ".yml" | ".yaml":
            list(yaml.compose_all(text, yaml.CSafeLoader))


@cache
def parse_python(text: str) -> ast.Module:
    """Parse a Python file as the oldest Python that a project supports."""
    return ast.parse(text, feature_version=(3, 11))


def check_imports(files: dict[str, str]) -> None:
    """Follow each import of the service's own code to the name that it asks for."""
    for file, text in files.items():
        for module, name in own_imports(text):
            assert resolves(files, module.replace(".", "/"), name), f"{file}: {module}.{name}"


@cache
def own_imports(text: str) -> list[tuple[str, str]]:
    """List the modules of the service that a file imports from, each with a name."""
    return [
        (node.module, alias.name)
        for node in ast.walk(parse_python(text))
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "app"
        for alias in node.names
    ]


def resolves(files: dict[str, str], path: str, name: str) -> bool:
    """Find `name` as a module below `path`, or among the names that it binds at its top."""
    if f"{path}/{name}.py" in files or f"{path}/{name}/__init__.py" in files:
        return True
    source = files.get(f"{path}/__init__.py", files.get(f"{path}.py"))
    return source is not None and name in bound_names(source)


@cache
def bound_names(text: str) -> set[str]:
    """Collect the names that a module binds at its top level."""
    names: set[str] = set()
    for node in parse_python(text).body:
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                names.add(node.name)
            case ast.Assign():
                names |= {target.id for target in node.targets if isinstance(target, ast.Name)}
            case ast.AnnAssign(target=ast.Name(id=name)):
                names.add(name)
            case ast.Import() | ast.ImportFrom():
                names |= {alias.asname or alias.name for alias in node.names}
    return names


def test_the_questions_left_out_change_no_code(template: Path) -> None:
    expected = python_files(render(template, {}))
    for name in CHOICES:
        if changes_python(name):
            continue
        for value in CHOICES[name]:
            assert python_files(render(template, {name: value})) == expected


def python_files(files: Snapshot) -> Snapshot:
    """Leave the Python files of a project."""
    return {name: file for name, file in files.items() if name.endswith(".py")}


def test_each_answer_writes_something(template: Path) -> None:
    defaults = default_answers()
    expected = render(template, {})
    del expected[".copier-answers.yml"]
    for name, values in CHOICES.items():
        for value in values:
            if value == defaults[name]:
                continue
            written = render(template, with_what_they_need({name: value}))
            del written[".copier-answers.yml"]
            assert written != expected, f"{name}={value} writes nothing of its own"

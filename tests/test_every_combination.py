"""Every combination of answers is a sound project, before anything of it is installed."""

import ast
import json
import re
import tomllib
from pathlib import Path

import pytest
import yaml

from tests.projects import check, generate, snapshot
from tests.questions import (
    CHOICES,
    Answers,
    covering_array,
    default_answers,
    every_combination,
    with_what_they_need,
)
from tests.questions import label as name_of

LEFTOVERS = re.compile(r"# \{[%#]|(?<!\$)\{\{|cookiecutter|_copier|groundwork", re.IGNORECASE)
"""Template syntax and names of the tools; `${{` belongs to GitHub's workflows."""


def changes_python(name: str) -> bool:
    """Tell whether an answer to this question shows in the code: deployment files do not."""
    return name not in {"license", "python_version", "ci"}


COMBINATIONS = every_combination(filter(changes_python, CHOICES)) + covering_array(3)


@pytest.mark.parametrize("answers", COMBINATIONS, ids=map(name_of, COMBINATIONS))
def test_a_combination_is_sound(template: Path, tmp_path: Path, answers: Answers) -> None:
    project = generate("copier", template, tmp_path, answers)

    for name, (_, content) in snapshot(project).items():
        text = content.decode("utf-8")
        assert text.endswith("\n") or not text, name
        assert not text.endswith("\n\n"), name
        assert "\n\n\n\n" not in text, name
        parse(name, text)
        if name not in {".copier-answers.yml", "README.md", "LICENSE"} and not_nasty(answers):
            assert not LEFTOVERS.search(text), f"{name}: {LEFTOVERS.search(text)}"
    check_imports(project)
    check("ruff", "check", "--no-cache", cwd=project)
    check("ruff", "format", "--check", "--no-cache", cwd=project)


def not_nasty(answers: Answers) -> bool:
    """Tell whether the texts are plain, so that template syntax can only be a leftover."""
    return "project_name" not in answers


def parse(name: str, text: str) -> None:
    """Parse a file by its kind; any fault is an exception."""
    match Path(name).suffix:
        case ".py":
            ast.parse(text, filename=name, feature_version=(3, 11))
        case ".toml":
            tomllib.loads(text)
        case ".json":
            json.loads(text)
        case ".yml" | ".yaml":
            list(yaml.safe_load_all(text))


def check_imports(project: Path) -> None:
    """Follow each import of the service's own code to the name that it asks for."""
    for file in [*project.glob("app/**/*.py"), *project.glob("tests/**/*.py")]:
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "app":
                for alias in node.names:
                    assert resolves(project, node.module or "", alias.name), f"{file}: {alias.name}"


def resolves(project: Path, module: str, name: str) -> bool:
    """Find `name` as a module below `module`, or among the names that it binds at its top."""
    path = project / module.replace(".", "/")
    if (path / f"{name}.py").is_file() or (path / name / "__init__.py").is_file():
        return True
    source = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    return source.is_file() and name in bound_names(ast.parse(source.read_text("utf-8")))


def bound_names(tree: ast.Module) -> set[str]:
    """Collect the names that a module binds at its top level."""
    names: set[str] = set()
    for node in tree.body:
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


def test_the_questions_left_out_change_no_code(template: Path, tmp_path: Path) -> None:
    expected = python_files(generate("copier", template, tmp_path / "default", {}))
    for name in CHOICES:
        if changes_python(name):
            continue
        for value in CHOICES[name]:
            folder = tmp_path / f"{name}-{value}"
            assert python_files(generate("copier", template, folder, {name: value})) == expected


def python_files(project: Path) -> dict[str, bytes]:
    """Map each Python file of a project to its bytes."""
    files = snapshot(project).items()
    return {name: content for name, (_, content) in files if name.endswith(".py")}


def test_each_answer_writes_something(template: Path, tmp_path: Path) -> None:
    defaults = default_answers()
    expected = snapshot(generate("copier", template, tmp_path / "default", {}))
    del expected[".copier-answers.yml"]
    for name, values in CHOICES.items():
        for value in values:
            if value == defaults[name]:
                continue
            folder = tmp_path / f"{name}-{value}"
            answers = with_what_they_need({name: value})
            written = snapshot(generate("copier", template, folder, answers))
            del written[".copier-answers.yml"]
            assert written != expected, f"{name}={value} writes nothing of its own"

"""Bad answers are refused with a sentence and leave nothing behind; any legal text survives."""

import json
import tomllib
from pathlib import Path

import pytest
import yaml
from markdown_it import MarkdownIt

from hooks.engine import copier_environment
from tests.projects import ENGINES, ask, generate, snapshot
from tests.questions import (
    CONFIG,
    FREE_TEXT,
    NASTY,
    REPOSITORY,
    Answers,
    default_answers,
    preset,
)

BAD_ANSWERS = {
    "empty name": ({"project_name": ""}, "Type a name, such as My Service: it is empty."),
    "blank name": ({"project_name": "   "}, "Type a name, such as My Service: it is empty."),
    "padded name": ({"project_name": " Shop"}, "Type the name without spaces around it."),
    "long name": ({"project_name": "x" * 101}, "more than 100 characters."),
    "name without a slug": ({"project_name": "日本語"}, "Use 2 to 50 lower-case letters"),
    "reserved slug by name": ({"project_name": "Test"}, "Choose another, such as test-service:"),
    "reserved slug": ({"project_slug": "app"}, "Choose another, such as app-service:"),
    "slug of a dependency": ({"project_slug": "fastapi"}, "such as fastapi-service:"),
    "empty slug": ({"project_slug": ""}, "such as my-service."),
    "slug with capitals": ({"project_slug": "Shop"}, "such as my-service."),
    "slug of one letter": ({"project_slug": "s"}, "such as my-service."),
    "slug of 60 letters": ({"project_slug": "s" * 60}, "Use 2 to 50 lower-case letters"),
    "slug with a path": ({"project_slug": "../outside"}, "such as my-service."),
    "slug ending in a hyphen": ({"project_slug": "shop-"}, "a letter or digit last"),
    "slug with a line break": ({"project_slug": "shop\n"}, "such as my-service."),
    "long description": ({"description": "x" * 301}, "more than 300 characters"),
    "e-mail without @": ({"author_email": "example.com"}, "Type an address like name@example.com"),
    "e-mail with a space": (
        {"author_email": "a b@example.com"},
        "Type an address like name@example.com",
    ),
    "unknown licence": ({"license": "GPL"}, "MIT"),
    "unknown CI": ({"ci": "jenkins"}, "gitlab"),
    "users without a database": ({"database": "none"}, "Users need a database to be kept in"),
    "a cache without a database": (
        {"database": "none", "jwt_auth": False, "caching": True},
        "Answers are kept of what is read from a database",
    ),
    "unknown Python": ({"python_version": "2.7"}, "3.13"),
}
BAD_CHARACTERS = {"line break": "\n", "tab": "\t", "escape": "\x1b", "C1": "\x85", "bidi": "\u202e"}
BAD_ANSWERS |= {
    f"{kind} in {name}": ({name: f"a{character}b"}, "on one line")
    for kind, character in BAD_CHARACTERS.items()
    for name in FREE_TEXT
    if name not in {"project_slug", "author_email"}
}


@pytest.mark.slow
@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(("answers", "sentence"), BAD_ANSWERS.values(), ids=BAD_ANSWERS)
def test_a_bad_answer_is_refused_and_nothing_is_written(
    engine: str, template: Path, tmp_path: Path, answers: Answers, sentence: str
) -> None:
    result = ask(engine, template, tmp_path, answers)

    assert result.returncode != 0
    assert sentence in " ".join((result.stdout + result.stderr).split())
    assert not list(tmp_path.iterdir())
    assert not (tmp_path.parent / "outside").exists()


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", ["notes.txt", ".env", "src/main.py"])
def test_a_folder_in_use_is_refused_and_left_alone(
    engine: str, template: Path, tmp_path: Path, name: str
) -> None:
    file = tmp_path / "service" / name
    file.parent.mkdir(parents=True)
    file.write_text("mine")

    result = ask(engine, template, tmp_path, {})

    assert result.returncode != 0
    output = result.stdout + result.stderr
    assert "this one is not empty" in output or "directory already exists" in output
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [file]
    assert file.read_text() == "mine"


def test_copier_accepts_a_fresh_repository_as_its_target(template: Path, tmp_path: Path) -> None:
    (tmp_path / "service" / ".git").mkdir(parents=True)
    assert ask("copier", template, tmp_path, {}).returncode == 0


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("My Service", "my-service"),
        ("Crème Brûlée & Co.", "creme-brulee-co"),
        ("Größenwächter", "groessenwaechter"),
        ("3rd -- Party!", "rd-party"),
        ("x" * 40 + " " + "y" * 40, "x" * 40 + "-" + "y" * 9),
        ("y" * 49 + " z", "y" * 49),
    ],
)
def test_the_slug_follows_from_the_name_in_both_engines(
    template: Path, tmp_path: Path, name: str, slug: str
) -> None:
    for engine in ENGINES:
        folder = tmp_path / engine
        folder.mkdir()
        result = ask(engine, template, folder, {"project_name": name})
        assert result.returncode == 0, result.stderr
        (project,) = folder.iterdir()
        answers = yaml.safe_load((project / ".copier-answers.yml").read_text("utf-8"))
        assert answers["project_slug"] == slug


@pytest.mark.parametrize("engine", ENGINES)
def test_nasty_text_survives_wherever_it_lands(engine: str, template: Path, tmp_path: Path) -> None:
    answers = {
        "project_name": NASTY,
        "project_slug": "nasty",
        "description": NASTY[::-1].strip(),
        "author_name": NASTY,
        "author_email": "nasty+mail@example.com",
    }
    project = generate(engine, template, tmp_path, answers)

    remembered = yaml.safe_load((project / ".copier-answers.yml").read_text("utf-8"))
    assert answers.items() <= remembered.items()
    about = json.loads((project / "app" / "project.json").read_text("utf-8"))
    assert about["title"] == answers["project_name"]
    assert about["description"] == answers["description"]
    package = tomllib.loads((project / "pyproject.toml").read_text("utf-8"))["project"]
    assert package["name"] == answers["project_slug"]
    assert package["description"] == answers["description"]
    assert package["authors"] == [
        {"name": answers["author_name"], "email": answers["author_email"]}
    ]
    assert answers["author_name"] in (project / "LICENSE").read_text("utf-8")
    assert readme_texts(project)[:2] == [answers["project_name"], answers["description"]]


@pytest.mark.parametrize(
    "description",
    [
        "- dash",
        "1. one",
        "1) one",
        "# not a title",
        "> no quote",
        "===",
        "+ plus",
        "---",
        "a --- b",
    ],
)
def test_a_description_never_becomes_markup(
    template: Path, tmp_path: Path, description: str
) -> None:
    project = generate("copier", template, tmp_path, {"description": description})
    assert readme_texts(project)[1] == description


def readme_texts(project: Path) -> list[str]:
    """Read the README's blocks of plain text, as a Markdown renderer shows them."""
    tokens = MarkdownIt().parse((project / "README.md").read_text("utf-8"))
    return [
        "".join(child.content for child in token.children or [])
        for token in tokens
        if token.type == "inline"
    ]


def test_the_legal_defaults_need_no_answer(template: Path, tmp_path: Path) -> None:
    for engine in ENGINES:
        folder = tmp_path / engine
        folder.mkdir()
        assert ask(engine, template, folder, {}).returncode == 0
        (project,) = folder.iterdir()
        assert snapshot(project)


def test_every_question_is_a_sentence_that_fits_a_terminal() -> None:
    for name in default_answers():
        question = CONFIG[name]["help"]
        assert question.endswith((".", "?")), name
        assert len(question) <= 76, name  # 80 columns, less the prompt's own mark


def test_no_dependency_can_be_the_name_of_a_project() -> None:
    text = (REPOSITORY / "template" / "pyproject.toml").read_text("utf-8")
    everything = {**default_answers(), **preset("full"), "redis": "yes"}
    rendered = copier_environment().from_string(text).render(everything)
    config = tomllib.loads(rendered)
    required = config["project"]["dependencies"] + config["dependency-groups"]["dev"]
    names = {requirement.split(">=")[0].split("[")[0] for requirement in required}
    assert names <= set(CONFIG["reserved_slugs"]["default"].split())

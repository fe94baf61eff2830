"""Bad answers are refused with a sentence and leave nothing behind; any legal text survives."""

import json
import tomllib
from pathlib import Path

import pytest
import yaml
from markdown_it import MarkdownIt

from hooks.engine import fault_of
from tests.projects import BIN, ENGINES, ask, generate, run, snapshot
from tests.questions import (
    CONFIG,
    FREE_TEXT,
    NASTY,
    Answers,
    default_answers,
)

BAD_ANSWERS: dict[str, tuple[Answers, str]] = {
    "empty name": ({"project_name": ""}, "project_name: Type a name, such as My Service."),
    "blank name": ({"project_name": "   "}, "project_name: Type a name, such as My Service."),
    "padded name": ({"project_name": " Shop"}, "project_name: Remove the spaces around it."),
    "long name": ({"project_name": "x" * 101}, "project_name: Use at most 100 characters."),
    "name without a slug": ({"project_name": "日本語"}, "project_slug: "),
    "empty slug": ({"project_slug": ""}, "project_slug: Use 2 to 50 characters."),
    "slug with capitals": (
        {"project_slug": "Shop"},
        "project_slug: Use only a-z, 0-9 and hyphens.",
    ),
    "slug of one letter": ({"project_slug": "s"}, "project_slug: Use 2 to 50 characters."),
    "slug of 60 letters": ({"project_slug": "s" * 60}, "project_slug: Use 2 to 50 characters."),
    "slug with a path": ({"project_slug": "../outside"}, "project_slug: Use only a-z, 0-9"),
    "slug ending in a hyphen": ({"project_slug": "shop-"}, "End with a letter or a digit."),
    "reserved slug": ({"project_slug": "default"}, "Add a word: that name is reserved."),
    "reserved prefix": ({"project_slug": "kube-system"}, "Add a word: that name is reserved."),
    "slug with a line break": ({"project_slug": "shop\n"}, "project_slug: Use only a-z, 0-9"),
    "long description": ({"description": "x" * 301}, "description: Use at most 300 characters."),
    "e-mail without @": ({"author_email": "example.com"}, "author_email: Use the form name@"),
    "e-mail with a space": (
        {"author_email": "a b@example.com"},
        "author_email: Use the form name@",
    ),
    "a cache without a database": (
        {"database": "none", "jwt_auth": False, "caching": True},
        "caching: It needs a database. Set database=postgresql or caching=false.",
    ),
    "Kubernetes without Docker": (
        {"docker": False, "kubernetes": True},
        "kubernetes: It runs container images. Set docker=true or kubernetes=false.",
    ),
    "AWS without Docker": (
        {"docker": False, "aws": True},
        "aws: It runs container images. Set docker=true or aws=false.",
    ),
    **{
        f"{name} with SQLite": (
            {"database": "sqlite", name: True},
            f"Set database=postgresql or {name}=false.",
        )
        for name in ("kubernetes", "heroku", "aws")
    },
}
COPIER_ONLY: dict[str, tuple[Answers, str]] = {
    # cookiecutter itself refuses these first, with a traceback of its own
    "unknown license": ({"license": "GPL"}, "license: Choose from MIT, Apache-2.0"),
    "unknown CI": ({"ci": "jenkins"}, "ci: Choose from github, gitlab, none."),
    "unknown Python": ({"python_version": "2.7"}, "python_version: Choose from 3.11, 3.12"),
    "neither yes nor no": ({"cors": "maybe"}, 'cors: Answer true or false, not "maybe".'),
    # cookiecutter does not know a default from an answer, and ignores names that it does not know
    "users without a database": (
        {"database": "none", "jwt_auth": True},
        "jwt_auth: It needs a database. Set database=postgresql or jwt_auth=false.",
    ),
    "unknown option": ({"websocket": True}, "websocket: There is no such option."),
    "copier's own option": ({"features": "[cors]"}, "features: There is no such option."),
}
BAD_CHARACTERS = {"line break": "\n", "tab": "\t", "escape": "\x1b", "C1": "\x85", "bidi": "\u202e"}
BAD_ANSWERS |= {
    f"{kind} in {name}": ({name: f"a{character}b"}, f"{name}: Use printable text on one line.")
    for kind, character in BAD_CHARACTERS.items()
    for name in FREE_TEXT
    if name == "description" or (kind == "escape" and name in {"project_name", "author_name"})
}


@pytest.mark.slow
@pytest.mark.parametrize("answers", BAD_ANSWERS, ids=BAD_ANSWERS)
@pytest.mark.parametrize("engine", ENGINES)
def test_a_bad_answer_is_refused_and_nothing_is_written(
    engine: str, template: Path, tmp_path: Path, answers: str
) -> None:
    expect_refusal(engine, template, tmp_path, *BAD_ANSWERS[answers])


@pytest.mark.slow
@pytest.mark.parametrize("answers", COPIER_ONLY, ids=COPIER_ONLY)
def test_copier_refuses_what_it_would_take_for_another_answer(
    template: Path, tmp_path: Path, answers: str
) -> None:
    expect_refusal("copier", template, tmp_path, *COPIER_ONLY[answers])


def expect_refusal(
    engine: str, template: Path, folder: Path, answers: Answers, sentence: str
) -> None:
    """Expect a sentence in few lines, a failure, and nothing written."""
    result = ask(engine, template, folder, answers)

    assert result.returncode == 1
    output = result.stdout + result.stderr
    assert sentence in " ".join(output.split())
    assert "Traceback" not in output
    assert len(output.strip().splitlines()) < 6
    assert not list(folder.iterdir())
    assert not (folder.parent / "outside").exists()


@pytest.mark.slow
@pytest.mark.parametrize("quiet", [(), ("--quiet",)], ids=["", "quiet"])
def test_a_file_of_answers_is_refused_as_the_same_answers_are(
    template: Path, tmp_path: Path, quiet: tuple[str, ...]
) -> None:
    (tmp_path / "answers.yml").write_text("docker: false\naws: true\nauthor_email: me\n")
    command = ["copier", "copy", "--defaults", *quiet, "--data-file", "answers.yml"]
    result = run(BIN / command[0], *command[1:], template, "service", cwd=tmp_path)
    assert result.returncode == 1
    for sentence in ("aws: It runs container images.", "author_email: Use the form name@"):
        assert sentence in result.stdout + result.stderr
    assert "Traceback" not in result.stderr
    assert not (tmp_path / "service").exists()


@pytest.mark.parametrize("engine", ENGINES)
def test_what_needs_a_database_is_off_without_one(
    engine: str, template: Path, tmp_path: Path
) -> None:
    result = ask(engine, template, tmp_path, {"database": "none"})
    assert result.returncode == 0, result.stdout + result.stderr
    [project] = tmp_path.iterdir()
    stored = yaml.safe_load((project / ".copier-answers.yml").read_text("utf-8"))
    assert stored["jwt_auth"] is False
    assert stored["caching"] is False
    assert ("jwt_auth is off: It needs a database." in result.stdout) == (engine == "cookiecutter")


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
    assert "The folder is not empty." in output or "directory already exists" in output
    assert "Traceback" not in output
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
        ("Kube 3 Kube System", "system"),
        ("Con", "con-service"),
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
    assert package["name"] == f"{answers['project_slug']}-app"
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
    for name in [*default_answers(), "features", "details"]:
        question = CONFIG[name]["help"]
        assert question.endswith((".", "?")), name
        assert len(question) <= 76, name  # 80 columns, less the prompt's own mark


def test_a_prompt_shows_all_of_what_is_wrong() -> None:
    refused = [answers for answers, _ in BAD_ANSWERS.values() if answers.keys() <= {*FREE_TEXT}]
    for answers in refused:
        [(name, text)] = answers.items()
        fault = fault_of(name, {name: text})
        assert fault or text == "日本語", "its short name is refused instead"
        assert len(f"Validation error for question '{name}': {fault}") <= 80

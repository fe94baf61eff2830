"""People at a keyboard: every prompt of both engines, in a terminal of 80 columns and 24 lines."""

from contextlib import AbstractContextManager
from pathlib import Path

import pytest
import yaml

from hooks import engine
from tests.projects import BIN, commit_all, expect_files
from tests.questions import (
    CHOICES,
    CONFIG,
    FREE_TEXT,
    QUESTIONS,
    Answers,
    covering_array,
    default_answers,
    label,
)
from tests.rendering import render, write
from tests.terminals import BACKSPACE, CTRL_C, DOWN, ENTER, SPACE, Terminal, at_terminal

CLEAR = "\x05\x15"  # go to the end of the line, and delete all of it
FEATURES = engine.choices(CONFIG["features"])
DETAILS = ["license", "python_version", "ci"]
PROMPTS = [*FREE_TEXT, "database", "features", "details", *DETAILS]
TEXT = "Shop 'n' \"Co\" #1: {{ x }} Größe"
WRONG_TEXT = {
    "empty name": ("project_name", "", "Type a name, such as My Service."),
    "padded name": ("project_name", "Shop ", "Remove the spaces around it."),
    "long name": ("project_name", "x" * 101, "Use at most 100 characters."),
    "slug with capitals": ("project_slug", "Shop", "Use only a-z, 0-9 and hyphens."),
    "short slug": ("project_slug", "s", "Use 2 to 50 characters."),
    "slug with a digit first": ("project_slug", "3s", "Start with a letter."),
    "slug with a hyphen last": ("project_slug", "s-", "End with a letter or a digit."),
    "long description": ("description", "x" * 301, "Use at most 300 characters."),
    "padded author": ("author_name", " Ann", "Remove the spaces around it."),
    "e-mail without a name": ("author_email", "example.com", "Use the form name@example.com."),
}


def walks() -> list[Answers]:
    """Cover each pair of answers with walks through the questions."""
    texts = dict.fromkeys(("project_name", "description", "author_name"), TEXT)
    return [
        {**default_answers(), **answers, **(texts if "project_name" in answers else {})}
        for answers in covering_array(2)
    ]


WALKS = walks()
IN_CI = [*WALKS[:2]]


def copier(
    template: Path, folder: Path, *arguments: str, **environment: str
) -> AbstractContextManager[Terminal]:
    """Start `copier copy` as the README says."""
    command = [str(BIN / "copier"), "copy", *arguments, str(template), "service"]
    return at_terminal(command, folder, **environment)


def cookiecutter(
    template: Path, folder: Path, **environment: str
) -> AbstractContextManager[Terminal]:
    """Start `cookiecutter` as the README says."""
    command = [str(BIN / "cookiecutter"), "--default-config", str(template)]
    return at_terminal(command, folder, **environment)


def pointed(terminal: Terminal) -> str:
    """Return the line that the pointer of a list is at."""
    return next((line for line in terminal.lines() if line.startswith(" »")), "")


def point(terminal: Terminal, text: str) -> None:
    """Move the pointer down until it is at a text."""
    terminal.wait(lambda _: pointed(terminal) != "")
    while text not in pointed(terminal):
        press(terminal, DOWN)


def press(terminal: Terminal, key: str) -> None:
    """Press a key that changes the line that the pointer is at.

    While the screen is drawn, no line may have the pointer: that is not the change yet.
    """
    line = pointed(terminal)
    terminal.type(key)
    terminal.wait(lambda _: pointed(terminal) not in ("", line))


def change(terminal: Terminal, text: str) -> None:
    """Select a feature, or select it no more."""
    point(terminal, text)
    press(terminal, SPACE)


def changes_details(answers: Answers) -> bool:
    """Whether a person has to say yes to see the last prompts."""
    return any(answers[name] != default_answers()[name] for name in DETAILS)


def answer(terminal: Terminal, name: str, answers: Answers) -> None:
    """Answer one prompt of copier."""
    terminal.wait_for(CONFIG[name]["help"])
    if name in FREE_TEXT:
        terminal.type(CLEAR + answers[name] + ENTER)
    elif name == "details":
        terminal.type("y" if changes_details(answers) else "n")
    elif name == "features":
        for text in FEATURES:
            terminal.wait_for_line(text)
        for text, feature in FEATURES.items():
            [line] = [line for line in terminal.lines() if text in line]
            if ("○" in line and answers[feature]) or ("●" in line and not answers[feature]):
                change(terminal, text)
        terminal.type(ENTER)
    else:
        labels = engine.choices(CONFIG[name]).items()
        point(terminal, next(text for text, value in labels if value == answers[name]))
        terminal.type(ENTER)


def walk_copier(terminal: Terminal, answers: Answers) -> None:
    """Answer all prompts of copier, which must succeed."""
    for name in PROMPTS:
        if name not in DETAILS or changes_details(answers):
            answer(terminal, name, answers)
    assert terminal.end() == 0, terminal.text()


def walk_cookiecutter(terminal: Terminal, answers: Answers) -> int:
    """Answer all prompts of cookiecutter, and return its exit status."""
    for number, name in enumerate(QUESTIONS, start=1):
        terminal.wait_for(f"[{number}/{len(QUESTIONS)}]")
        if name in FREE_TEXT:
            terminal.type(answers[name] + ENTER)
        elif isinstance(answers[name], bool):
            terminal.type(("y" if answers[name] else "n") + ENTER)
        else:
            default = default_answers()[name]
            first = [value for value in CHOICES[name] if value == default]
            numbered = first + [value for value in CHOICES[name] if value != default]
            terminal.type(str(numbered.index(answers[name]) + 1) + ENTER)
    return terminal.end()


def expect_project(template: Path, project: Path, answers: Answers) -> None:
    """Expect what the same answers write when they are given by --data."""
    expect_files(project, render(template, answers))


def expect_nothing_left(folder: Path, temporary: Path) -> None:
    """Expect no project, and no copy of the template in the temporary folder."""
    assert not list(folder.iterdir())
    assert not list(temporary.iterdir())


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """Give an empty folder to work in, and one for temporary files."""
    folder, temporary = tmp_path / "work", tmp_path / "tmp"
    folder.mkdir()
    temporary.mkdir()
    return folder, temporary


def test_the_usual_wishes_take_eight_prompts(template: Path, folders: tuple[Path, Path]) -> None:
    folder, temporary = folders
    with copier(template, folder, TMPDIR=str(temporary)) as terminal:
        for name in PROMPTS[:8]:
            terminal.wait_for(CONFIG[name]["help"])
            terminal.type(ENTER)
        assert terminal.end() == 0
    expect_project(template, folder / "service", {})
    assert not list(temporary.iterdir())


@pytest.mark.slow
@pytest.mark.parametrize(
    "answers",
    [
        pytest.param(
            answers, id=label(answers), marks=[] if answers in IN_CI else pytest.mark.proof
        )
        for answers in WALKS
    ],
)
def test_a_walk_through_the_prompts_writes_what_the_answers_say(
    template: Path, tmp_path: Path, answers: Answers
) -> None:
    for start, walk in ((copier, walk_copier), (cookiecutter, walk_cookiecutter)):
        folder = tmp_path / start.__name__
        folder.mkdir()
        with start(template, folder) as terminal:
            assert not walk(terminal, answers), terminal.text()
        [project] = folder.iterdir()
        expect_project(template, project, answers)


def test_a_wrong_answer_is_explained_and_can_be_corrected(
    template: Path, folders: tuple[Path, Path]
) -> None:
    folder, _ = folders
    with copier(template, folder) as terminal:
        for name in FREE_TEXT:
            terminal.wait_for(CONFIG[name]["help"])
            for wrong, text, sentence in WRONG_TEXT.values():
                if wrong == name:
                    terminal.type(CLEAR + text + ENTER)
                    terminal.wait_for_line(sentence)
            right = "me@example.com" if name == "author_email" else "shop"
            terminal.type(CLEAR + right + "!" + BACKSPACE + ENTER)
        terminal.wait_for(CONFIG["database"]["help"])
        point(terminal, "No database")
        point(terminal, "SQLite, a file")  # round to the top again, and down
        terminal.type(ENTER)
        terminal.wait_for("<space> to select")
        terminal.wait(
            lambda lines: any(
                "Kubernetes" in line and "cannot share a file" in line for line in lines
            )
        )
        for _ in range(3):  # three times changed is changed
            change(terminal, "WebSockets")
        terminal.type(ENTER)
        terminal.wait_for(CONFIG["details"]["help"])
        terminal.type("n")
        assert terminal.end() == 0
    answers: Answers = {**dict.fromkeys(FREE_TEXT, "shop"), "author_email": "me@example.com"}
    answers |= {"database": "sqlite", "websockets": True}
    expect_project(template, folder / "service", answers)


def test_features_that_need_another_cannot_be_selected_without_it(
    template: Path, folders: tuple[Path, Path]
) -> None:
    folder, _ = folders
    with copier(template, folder) as terminal:
        for name in PROMPTS[:6]:
            terminal.wait_for(CONFIG[name]["help"])
            terminal.type(ENTER)
        terminal.wait_for("<space> to select")
        change(terminal, "Docker")
        change(terminal, "AWS")
        terminal.type(ENTER)
        terminal.wait_for("Kubernetes and AWS need Docker.")
        change(terminal, "Docker")
        terminal.type(ENTER)
        terminal.wait_for(CONFIG["details"]["help"])
        terminal.type("n")
        assert terminal.end() == 0
    expect_project(template, folder / "service", {"aws": True})


def test_what_is_given_is_not_asked_and_what_it_excludes_cannot_be_chosen(
    template: Path, folders: tuple[Path, Path]
) -> None:
    folder, _ = folders
    given = {"kubernetes": True, "cors": False, "license": "MIT", "author_name": "Ann"}
    data = [word for name, value in given.items() for word in ("--data", f"{name}={value}")]
    with copier(template, folder, *data) as terminal:
        for name in ("project_name", "project_slug", "description", "author_email"):
            terminal.wait_for(CONFIG[name]["help"])
            terminal.type(ENTER)
        terminal.wait_for("SQLite, a file beside the service (not on Kubernetes, Heroku or AWS)")
        terminal.type(ENTER)
        terminal.wait_for("CORS, for pages of other origins (answered)")
        change(terminal, "Docker")
        terminal.type(ENTER)
        terminal.wait_for("Kubernetes and AWS need Docker.")
        terminal.type(SPACE + ENTER)
        terminal.wait_for(CONFIG["details"]["help"])
        terminal.type("n")
        assert terminal.end() == 0
        assert CONFIG["author_name"]["help"] not in terminal.text()
    expect_project(template, folder / "service", given)


def test_cookiecutter_lists_at_the_end_what_does_not_go_together(
    template: Path, folders: tuple[Path, Path]
) -> None:
    folder, temporary = folders
    impossible = {"database": "none", "caching": True, "docker": False, "aws": True}
    with cookiecutter(template, folder, TMPDIR=str(temporary)) as terminal:
        answers = {**default_answers(), **impossible, "jwt_auth": True}
        assert walk_cookiecutter(terminal, answers) == 1
        text = terminal.text()
    assert "jwt_auth is off: It needs a database." in text
    assert "caching: It needs a database." in text
    assert "aws: It runs container images. Set docker=true" in text
    assert "Traceback" not in text
    expect_nothing_left(folder, temporary)


@pytest.mark.parametrize("wrong", ["long name", "slug with capitals", "e-mail without a name"])
def test_cookiecutter_refuses_wrong_text_at_once(
    template: Path, folders: tuple[Path, Path], wrong: str
) -> None:
    folder, temporary = folders
    name, text, sentence = WRONG_TEXT[wrong]
    with cookiecutter(template, folder, TMPDIR=str(temporary)) as terminal:
        for number, each in enumerate(FREE_TEXT, start=1):
            terminal.wait_for(f"[{number}/{len(QUESTIONS)}]")
            terminal.type((text if each == name else "") + ENTER)
            if each == name:
                break
        assert terminal.end() == 1
        assert f"{name}: {sentence} Nothing was written." in terminal.text()
        assert "Traceback" not in terminal.text()
    expect_nothing_left(folder, temporary)


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[] if name == "features" else pytest.mark.proof) for name in PROMPTS],
)
def test_copier_leaves_nothing_behind_when_a_prompt_is_interrupted(
    template: Path, folders: tuple[Path, Path], name: str
) -> None:
    folder, temporary = folders
    answers = {**default_answers(), "ci": "none"}
    with copier(template, folder, TMPDIR=str(temporary)) as terminal:
        for each in PROMPTS[: PROMPTS.index(name)]:
            answer(terminal, each, answers)
        terminal.wait_for(CONFIG[name]["help"])
        terminal.type(CTRL_C)
        assert terminal.end() == 1
        assert "Execution stopped by user" in terminal.text()
        assert "Traceback" not in terminal.text()
    expect_nothing_left(folder, temporary)


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[] if name in {"project_name", "ci"} else pytest.mark.proof)
        for name in QUESTIONS
    ],
)
def test_cookiecutter_leaves_nothing_behind_when_a_prompt_is_interrupted(
    template: Path, folders: tuple[Path, Path], name: str
) -> None:
    folder, temporary = folders
    with cookiecutter(template, folder, TMPDIR=str(temporary)) as terminal:
        for number, each in enumerate(QUESTIONS, start=1):
            terminal.wait_for(f"[{number}/{len(QUESTIONS)}]")
            if each == name:
                break
            terminal.type(ENTER)
        terminal.type(CTRL_C)
        assert terminal.end() == 1
        assert "Traceback" not in terminal.text()
    expect_nothing_left(folder, temporary)


@pytest.mark.slow
def test_an_update_asks_only_what_is_possible(template: Path, folders: tuple[Path, Path]) -> None:
    folder, _ = folders
    stored = {"database": "none", "jwt_auth": False, "docker": False, "ci": "gitlab"}
    project = write(template, folder, stored)
    commit_all(project)
    asked = [name for name in QUESTIONS if name not in {"jwt_auth", "caching", "kubernetes", "aws"}]
    command = [str(BIN / "copier"), "update", "--vcs-ref", ":current:"]
    with at_terminal(command, project) as terminal:
        for name in asked:
            terminal.wait_for(QUESTIONS[name]["help"])
            terminal.type("y" if name == "websockets" else ENTER)
        assert terminal.end() == 0, terminal.text()
        for name in {*QUESTIONS, "features", "details"} - {*asked}:
            assert CONFIG[name]["help"] not in terminal.text()
    answers = yaml.safe_load((project / ".copier-answers.yml").read_text("utf-8"))
    assert {**default_answers(), **stored, "websockets": True}.items() <= answers.items()
    assert (project / "app" / "rooms").exists()

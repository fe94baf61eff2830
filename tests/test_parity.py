"""Both engines write the same bytes and the same file modes from the same answers."""

import json
from pathlib import Path

import pytest
import yaml

from hooks.engine import choices, default_of
from tests.projects import check, expect_files, generate, snapshot
from tests.questions import CONFIG, QUESTIONS, REPOSITORY, Answers, covering_array, label
from tests.rendering import render

TRIPLES = covering_array(3)


@pytest.mark.slow
@pytest.mark.parametrize("answers", TRIPLES, ids=map(label, TRIPLES))
def test_both_engines_write_the_same_project(
    template: Path, tmp_path: Path, answers: Answers
) -> None:
    compare_engines(template, tmp_path, answers)


def test_both_engines_write_the_same_defaults(template: Path, tmp_path: Path) -> None:
    compare_engines(template, tmp_path, {})


def compare_engines(template: Path, tmp_path: Path, answers: Answers) -> None:
    """Expect the same project of both engines, and of what the other tests render."""
    expected = snapshot(generate("copier", template, tmp_path / "copier", answers))
    second = generate("cookiecutter", template, tmp_path / "cookiecutter", answers)

    expect_files(second, expected)
    expect_files(second, render(template, answers))


def test_the_answers_file_leads_copier_back_to_the_template(template: Path, tmp_path: Path) -> None:
    for engine in ("copier", "cookiecutter"):
        project = generate(engine, template, tmp_path / engine, {})
        answers = yaml.safe_load((project / ".copier-answers.yml").read_text("utf-8"))
        assert answers.pop("_src_path") == str(template)
        assert answers.pop("_commit") == "v0.1.0"
        assert answers.keys() == QUESTIONS.keys()


def test_a_password_in_the_template_address_is_not_remembered(
    template: Path, tmp_path: Path
) -> None:
    # git reads the address from its configuration, so that no network is needed
    address = "https://user:secret@example.com/groundwork.git"  # pragma: allowlist secret
    git = {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"url.{template}.insteadOf",
        "GIT_CONFIG_VALUE_0": address,
        "COOKIECUTTER_CONFIG": str(tmp_path / "rc"),
    }
    (tmp_path / "rc").write_text(json.dumps({"cookiecutters_dir": str(tmp_path / "clones")}))
    check("copier", "copy", "--defaults", "--quiet", address, "first", cwd=tmp_path, **git)
    check("cookiecutter", "--no-input", address, "project_slug=second", cwd=tmp_path, **git)

    for name in ("first", "second"):
        text = (tmp_path / name / ".copier-answers.yml").read_text("utf-8")
        assert "secret" not in text
        assert yaml.safe_load(text)["_src_path"] == "https://example.com/groundwork.git"
        readme = (tmp_path / name / "README.md").read_text("utf-8")
        assert "[documentation of the template](https://example.com/groundwork)" in readme


@pytest.mark.parametrize(
    ("address", "link"),
    [
        ("gh:owner/groundwork", "https://github.com/owner/groundwork/tree/HEAD/docs"),
        ("gl:owner/groundwork.git", "https://gitlab.com/owner/groundwork/tree/HEAD/docs"),
        (
            "git@github.com:owner/groundwork.git",
            "https://github.com/owner/groundwork/tree/HEAD/docs",
        ),
        ("ssh://git@example.com/owner/groundwork", "https://example.com/owner/groundwork"),
        ("git+https://a:b@example.com/groundwork.git", "https://example.com/groundwork"),
        ("/home/ann/groundwork", None),
        ("https://example.com/ground work", None),
    ],
)
def test_the_readme_links_to_the_documentation_where_it_is_known(
    template: Path, address: str, link: str | None
) -> None:
    _, readme = render(template, {}, address)["README.md"]
    text = readme.decode()
    assert (f"[documentation of the template]({link})" in text) == bool(link)
    assert ("documentation of the template" in text) == bool(link)


def test_cookiecutter_json_follows_copier_yml() -> None:
    check("python", "scripts/sync_cookiecutter.py", "--check", cwd=REPOSITORY)


def test_both_engines_ask_the_same_questions_with_the_same_words() -> None:
    config = json.loads((REPOSITORY / "cookiecutter.json").read_text("utf-8"))
    prompts = config["__prompts__"]
    assert [name for name in config if not name.startswith("_")] == list(QUESTIONS)
    for name, question in QUESTIONS.items():
        prompt = prompts[name]
        words = prompt["__prompt__"] if isinstance(prompt, dict) else prompt
        assert words == question["help"]
        assert "[" not in words, "cookiecutter would read it as markup"
        default = config[name][0] if isinstance(config[name], list) else config[name]
        assert default == default_of(name)
        if isinstance(question.get("choices"), dict):
            labels = {label: value for value, label in prompt.items() if value != "__prompt__"}
            assert labels == choices(question)


def test_one_sided_paths_are_plain_and_exist() -> None:
    one_sided = CONFIG["_exclude"][0]
    paths = [line for line in one_sided.splitlines() if not line.startswith("# {%")]
    assert paths
    for path in paths:
        assert not set("*?[!{ ") & set(path), path
        assert (REPOSITORY / "template" / path).exists(), path


def test_leftovers_of_work_in_place_reach_no_project(template: Path, tmp_path: Path) -> None:
    leftovers = ("app/__pycache__/main.cpython-313.pyc", ".venv/pyvenv.cfg", ".env", "uv.lock")
    for name in leftovers:
        path = template / "template" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("left over")
    try:
        for engine in ("copier", "cookiecutter"):
            project = generate(engine, template, tmp_path / engine, {})
            assert not [name for name in leftovers if (project / name).exists()]
    finally:
        check("git", "clean", "-xdfq", cwd=template)

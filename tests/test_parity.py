"""Both engines write the same bytes and the same file modes from the same answers."""

import json
import re
from pathlib import Path

import pytest
import yaml
from copier._vcs import get_repo

from hooks.engine import choices, default_of
from tests.projects import check, commit_all, expect_files, generate, snapshot
from tests.questions import CONFIG, QUESTIONS, REPOSITORY, Answers, covering_array, label
from tests.rendering import render

HIDDEN = "t0ken"
LOGIN = f"user:{HIDDEN}@"
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


@pytest.mark.parametrize(
    ("address", "stored"),
    [
        pytest.param(
            *(f"https://{LOGIN}example.com/groundwork.git", "https://example.com/groundwork.git"),
            marks=pytest.mark.proof,
        ),
        (f"git+https://{HIDDEN}@example.com/groundwork", "git+https://example.com/groundwork"),
        pytest.param(
            *("gh:owner/groundwork", "https://github.com/owner/groundwork.git"),
            marks=pytest.mark.proof,
        ),
    ],
)
def test_the_template_is_found_again_without_a_password(
    template: Path, tmp_path: Path, address: str, stored: str
) -> None:
    # git reads the addresses from its configuration, so that no network is needed
    git = {
        "GIT_CONFIG_COUNT": "2",
        "GIT_CONFIG_KEY_0": f"url.{template}.insteadOf",
        "GIT_CONFIG_VALUE_0": address.removeprefix("git+"),
        "GIT_CONFIG_KEY_1": f"url.{template}.insteadOf",
        "GIT_CONFIG_VALUE_1": stored.removeprefix("git+"),
        "COOKIECUTTER_CONFIG": str(tmp_path / "rc"),
        "COPIER_CACHE_DIR": str(tmp_path / "cache"),
    }
    (tmp_path / "rc").write_text(json.dumps({"cookiecutters_dir": str(tmp_path / "clones")}))
    check("copier", "copy", "--defaults", "--quiet", address, "first", cwd=tmp_path, **git)
    check("cookiecutter", "--no-input", address, "project_slug=second", cwd=tmp_path, **git)

    for name in ("first", "second"):
        project = tmp_path / name
        text = (project / ".copier-answers.yml").read_text("utf-8")
        readme = (project / "README.md").read_text("utf-8")
        assert HIDDEN not in text + readme
        assert yaml.safe_load(text)["_src_path"] == stored
        assert "documentation of the template](https://" in readme
        commit_all(project)
        check("copier", "update", "--defaults", "--quiet", cwd=project, **git)
        assert check("git", "status", "--porcelain", cwd=project) == ""


@pytest.mark.parametrize(
    ("address", "stored"),
    [
        ("gh:owner/groundwork.git", "https://github.com/owner/groundwork.git"),
        ("gl:owner/groundwork", "https://gitlab.com/owner/groundwork.git"),
        ("https://github.com/owner/groundwork", "https://github.com/owner/groundwork"),
        (f"git+https://{HIDDEN}@github.com/owner/gw", "https://github.com/owner/gw"),
        (f"git+https://{LOGIN}example.com/gw.git", "https://example.com/gw.git"),
        (f"https://{LOGIN}{LOGIN}example.com/gw.git", "https://example.com/gw.git"),
        (f"git+ssh://git:{HIDDEN}@example.com/gw", "git+ssh://git@example.com/gw"),
        ("git+ssh://git@example.com:22/gw.git", "ssh://git@example.com:22/gw.git"),
        ("git+git@example.com:owner/gw", "git@example.com:owner/gw"),
        ("git@example.com:owner/gw.git", "git@example.com:owner/gw.git"),
        ("git+https://example.com/a@b", "git+https://example.com/a@b"),
        ("/home/ann/gw", "/home/ann/gw"),
    ],
)
def test_other_tools_can_read_the_address_that_is_stored(
    template: Path, address: str, stored: str
) -> None:
    files = render(template, {}, address)
    assert yaml.safe_load(files[".copier-answers.yml"][1])["_src_path"] == stored
    assert not [name for name, (_, content) in files.items() if HIDDEN.encode() in content]
    # copier still takes it for the same repository
    if not stored.startswith("/"):
        assert plain(get_repo(stored)) == plain(get_repo(address))


def plain(address: str | None) -> str:
    """Remove the scheme, the user and the suffix of an address."""
    assert address
    return re.sub(r"^([a-z]+://)?([^/]*@)?", "", address).removesuffix(".git")


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

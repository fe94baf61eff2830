"""Any legal name yields a project: each file reads it as the text that it is, and nothing collides."""

import json
import re
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from markdown_it import MarkdownIt

from tests.platforms import LONGEST_SLUG
from tests.projects import BIN, Snapshot, check
from tests.questions import NASTY, preset
from tests.rendering import render, write
from tests.services import use_environment
from tests.test_deploy_aws import Loader

MARK = "zq-mark"
NAME_MARK = "Zq Mark"
SLUGS = [
    # what YAML takes for something else
    *("on", "off", "yes", "no", "true", "false", "null", "none", "nan", "inf", "e1", "x0"),
    # what other things are called
    *("app", "test", "tests", "migrations", "root", "localhost", "web", "kubernetes", "python"),
    *("postgres", "postgresql", "template1", "redis", "fastapi", "packaging", "coverage", "uv"),
    # the shortest, the longest, and odd ones
    *("ab", LONGEST_SLUG, "a--b", "a-1", "defaults", "kube"),
]
TEXTS = """on Null 1e3 2026-03-01 ~ ' " \\ \\n %s% $$ $HOME @a `a` !a &a *a [a] {a} </script>"""
NAMES = [
    NASTY,
    *TEXTS.split(),
    "{{ name }}",
    "# {% if x %}",
    "a: b",
    "a # b",
    "- a",
    "1. a",
    "日本語 🚀",
]
COMPLETE = {**preset("full"), "kubernetes": True, "heroku": True, "aws": True}


def parse(name: str, text: str) -> Any:
    """Parse a file by its kind; what is no data stays text."""
    match Path(name).suffix:
        case ".toml":
            return tomllib.loads(text)
        case ".json":
            return json.loads(text)
        case ".yml" | ".yaml":
            return list(yaml.load_all(text, Loader))
    return text


def leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """Walk through parsed data, to what is neither a mapping nor a list."""
    if isinstance(value, dict | list):
        for key, each in value.items() if isinstance(value, dict) else enumerate(value):
            yield from leaves(each, (*path, key))
    else:
        yield path, value


@cache
def with_marks(template: Path) -> Snapshot:
    """A project whose names stand nowhere by chance."""
    return render(
        template,
        {**COMPLETE, "project_slug": MARK, "project_name": NAME_MARK, "ci": "gitlab"},
    )


@pytest.mark.parametrize("slug", SLUGS)
def test_a_slug_arrives_as_text(template: Path, slug: str) -> None:
    files = render(
        template,
        {**COMPLETE, "project_slug": slug, "project_name": NAME_MARK, "ci": "gitlab"},
    )
    places = 0
    for name, (_, content) in with_marks(template).items():
        if MARK.encode() not in content:
            continue
        marked, text = content.decode(), files[name][1].decode()
        if name == "app.json":  # where Heroku takes no more than 30 characters
            assert json.loads(text)["name"] == slug[:30].rstrip("-")
            continue
        if name != ".copier-answers.yml":  # which quotes what needs it
            assert text == marked.replace(MARK, slug), name
        expected = dict(leaves(parse(name, marked)))
        for path, value in leaves(parse(name, text)):
            if isinstance(expected[path], str) and MARK in expected[path]:
                assert value == expected[path].replace(MARK, slug), (name, path)
                places += 1
    assert places > 30


@pytest.mark.parametrize("project_name", NAMES)
def test_a_name_arrives_as_text(template: Path, project_name: str) -> None:
    answers = {**COMPLETE, "project_slug": MARK, "ci": "gitlab"}
    files = render(template, {**answers, "project_name": project_name, "author_name": ""})
    found = 0
    for name, (_, content) in with_marks(template).items():
        if NAME_MARK.encode() not in content or Path(name).suffix not in {".json", ".yml", ".toml"}:
            continue
        expected = dict(leaves(parse(name, content.decode())))
        for path, value in leaves(parse(name, files[name][1].decode())):
            if isinstance(expected[path], str) and NAME_MARK in expected[path]:
                assert value == expected[path].replace(NAME_MARK, project_name), (name, path)
                found += 1
    assert found >= 2
    title = re.findall(r'title="(.*)"', files["Dockerfile"][1].decode())[0]
    assert re.sub(r"\\(.)", r"\1", title) == project_name
    tokens = MarkdownIt().parse(files["README.md"][1].decode())
    heading = next(token for token in tokens if token.type == "inline")
    assert "".join(each.content for each in heading.children or []) == project_name
    assert f"Copyright (c) {project_name} authors" in files["LICENSE"][1].decode()


@pytest.mark.parametrize("overlay", ["dev", "production"])
@pytest.mark.parametrize("slug", ["on", "postgres", "postgresql", "redis", LONGEST_SLUG])
def test_no_slug_confuses_the_objects_of_kubernetes(
    template: Path, tmp_path: Path, slug: str, overlay: str
) -> None:
    project = write(template, tmp_path, {**COMPLETE, "project_slug": slug})
    folder = f"deploy/kubernetes/overlays/{overlay}"
    objects = list(yaml.safe_load_all(check(BIN / "kubectl", "kustomize", folder, cwd=project)))
    pods = {
        each["metadata"]["name"]: each["spec"]["template"]
        for each in objects
        if each["kind"] in {"Deployment", "StatefulSet", "Job"}
    }
    for name, pod in pods.items():
        [container] = pod["spec"]["containers"]
        image = {"postgresql": "postgres:18", "redis": "redis:8"}.get(
            name, f"{slug}:dev" if overlay == "dev" else f"registry.example.com/{slug}:0.1.0"
        )
        assert container["image"] == image, name
    for each in objects:
        if each["kind"] == "Service":
            selected = [
                name
                for name, pod in pods.items()
                if each["spec"]["selector"].items() <= pod["metadata"]["labels"].items()
            ]
            assert selected == [each["metadata"]["name"]]


@pytest.mark.slow
@pytest.mark.parametrize("slug", ["packaging", "coverage", "fastapi", "idna", "uv", "app"])
def test_no_dependency_collides_with_a_project(template: Path, tmp_path: Path, slug: str) -> None:
    project = write(template, tmp_path, {**COMPLETE, "project_slug": slug})
    check("uv", "lock", "--quiet", cwd=project, **use_environment(project))
    lock = tomllib.loads((project / "uv.lock").read_text("utf-8"))
    assert [each["name"] for each in lock["package"] if each["name"].endswith("-app")] == [
        f"{slug}-app"
    ]

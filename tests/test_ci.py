"""The files for the code host are valid for it, and give no more rights than they need."""

import re
from pathlib import Path

import pytest

from tests.projects import BIN, check, generate
from tests.questions import REPOSITORY

SCHEMAS = {
    "github": {
        ".github/workflows/ci.yml": "vendor.github-workflows",
        ".github/dependabot.yml": "vendor.dependabot",
        ".pre-commit-config.yaml": None,
    },
    "gitlab": {
        ".gitlab-ci.yml": "vendor.gitlab-ci",
        "renovate.json": "vendor.renovate",
        ".pre-commit-config.yaml": None,
    },
}


@pytest.mark.parametrize("host", SCHEMAS)
def test_the_files_follow_the_published_schemas(template: Path, tmp_path: Path, host: str) -> None:
    project = generate("copier", template, tmp_path, {"ci": host})
    for name, schema in SCHEMAS[host].items():
        if schema:
            check(BIN / "check-jsonschema", "--builtin-schema", schema, name, cwd=project)
        else:
            check(BIN / "pre-commit", "validate-config", name, cwd=project)


def test_the_github_workflow_is_hardened(template: Path, tmp_path: Path) -> None:
    project = generate("copier", template, tmp_path, {})
    for repository in (project, REPOSITORY):
        check(BIN / "zizmor", "--offline", "--no-progress", ".github", cwd=repository)
        for workflow in (repository / ".github" / "workflows").glob("*.yml"):
            for action in re.findall(r"uses: (\S+)", workflow.read_text("utf-8")):
                assert re.search(r"@[0-9a-f]{40}$", action), f"{action} is not pinned by commit"


def test_no_host_means_no_file_of_any_host(template: Path, tmp_path: Path) -> None:
    project = generate("copier", template, tmp_path, {"ci": "none"})
    for name in (".github", ".gitlab-ci.yml", "renovate.json"):
        assert not (project / name).exists()
    readme = (project / "README.md").read_text("utf-8").lower()
    assert "github runs" not in readme
    assert "gitlab" not in readme

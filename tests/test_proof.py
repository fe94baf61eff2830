"""The longer proof runs only when it is asked for, and its page says what it was and was not."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests import proof
from tests.projects import check, run
from tests.questions import REPOSITORY

TEST = '''"""Promises are kept."""

import pytest


def test_one() -> None:
    pass


@pytest.mark.proof
def test_two() -> None:
    pytest.skip("needs a cluster: make cluster")
'''


@pytest.mark.parametrize("target", ["test", "quick"])
def test_make_leaves_the_longer_proof_out(target: str) -> None:
    command = check(
        "make", "--no-print-directory", "--dry-run", target, cwd=REPOSITORY
    ).splitlines()[-1]
    expression = re.search(r'-m "(.+)"', command)
    assert expression
    pytest_only = (sys.executable, "-m", "pytest", "--collect-only", "-q", "-n", "0")
    by_path = (*pytest_only, "tests/test_pythons.py")
    assert "::" in check(*by_path, cwd=REPOSITORY)
    assert run(*by_path, "-m", expression[1], cwd=REPOSITORY).returncode == 5  # no test is left


def test_make_proof_leaves_nothing_out() -> None:
    command = check(
        "make", "--no-print-directory", "--dry-run", "proof", cwd=REPOSITORY
    ).splitlines()[-1]
    assert "--write-proof" in command
    assert " -m " not in command


def test_the_page_names_the_commit_and_what_was_not_tried(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    commit = check("git", "rev-parse", "--short", "HEAD", cwd=REPOSITORY).strip()
    monkeypatch.setattr(proof, "REPOSITORY", pytester.path)
    monkeypatch.setattr(proof, "PAGE", tmp_path / "proof.md")
    monkeypatch.setattr(proof, "commit", lambda: f"commit {commit}")
    pytester.makeini("[pytest]\nmarkers = proof: the longer proof")
    pytester.makepyfile(test_promises=TEST)
    pytester.inline_run("-p", "no:cacheprovider", plugins=[proof, proof.Proof()])
    page = (tmp_path / "proof.md").read_text("utf-8")
    assert f", commit {commit}, " in page
    assert "1 passed, 1 skipped" in page
    assert "- 1 tests: needs a cluster: make cluster\n" in page
    assert "| Promises are kept. *Longer.* | 1 passed, 1 skipped |" in page


def test_the_commit_says_whether_files_differ_from_it(
    monkeypatch: pytest.MonkeyPatch, template: Path, tmp_path: Path
) -> None:
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "--quiet", template, clone], check=True)
    monkeypatch.setattr(proof, "REPOSITORY", clone)
    head = check("git", "rev-parse", "HEAD", cwd=clone)
    assert head.startswith(proof.commit().removeprefix("commit "))
    (clone / "README.md").write_text("changed")
    assert proof.commit().endswith(", with changes")

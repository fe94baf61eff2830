"""What is typed at make or at the script becomes answers, word for word."""

import ast
import sys
from pathlib import Path

import pytest

from tests.projects import check, run
from tests.questions import REPOSITORY

PRINT = """
import sys
from updating.request import Request
request = Request.read(sys.argv[1:])
print([request.answers, request.to, request.dry])
"""


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        (["websockets=true", "ci=none"], [{"websockets": "true", "ci": "none"}, "", False]),
        (["description=a b=c 'd' $$e", "to=v1"], [{"description": "a b=c 'd' $e"}, "v1", False]),
        (["dry=1", "YES=1", "-j2", "license:=MIT"], [{"license": "MIT"}, "", True]),
        (
            ["ARGS=--trust", "author_name=", "dry=0"],
            [{"ARGS": "--trust", "author_name": ""}, "", False],
        ),
        ([], [{}, "", False]),
    ],
)
def test_answers_are_read_from_make(tmp_path: Path, typed: list[str], expected: object) -> None:
    (tmp_path / "print.py").write_text(PRINT, "utf-8")
    (tmp_path / "Makefile").write_text(f"update:\n\t@{sys.executable} print.py\n", "utf-8")
    scripts = str(REPOSITORY / "template" / "scripts")
    printed = check("make", "--silent", "update", *typed, cwd=tmp_path, PYTHONPATH=scripts)
    assert ast.literal_eval(printed) == expected


@pytest.mark.parametrize("argument", ["cors", "--data", "--data=cors=false", "=true", ""])
def test_what_is_no_answer_is_refused(tmp_path: Path, argument: str) -> None:
    script = REPOSITORY / "template" / "scripts" / "update.py"
    result = run(sys.executable, script, argument, cwd=tmp_path)
    assert result.returncode == 1
    assert result.stderr == (
        f"Write NAME=VALUE, such as cors=false, not {argument}.\nNothing was changed.\n"
    )


def test_help_is_printed(tmp_path: Path) -> None:
    script = REPOSITORY / "template" / "scripts" / "update.py"
    assert "make update dry=1" in check(sys.executable, script, "--help", cwd=tmp_path)

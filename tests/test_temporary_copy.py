"""cookiecutter's copy of this repository is gone when it ends, however that happens."""

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from tests.projects import BIN, run

CONTROL_C = b"\x03"


@pytest.fixture
def temporary(tmp_path: Path) -> Path:
    """Give the folder for temporary files, in which nothing may be left."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    return folder


def environment(temporary: Path) -> dict[str, str]:
    """Let cookiecutter keep its own files below the test's folder."""
    return {**os.environ, "TMPDIR": str(temporary), "HOME": str(temporary.parent)}


@pytest.mark.parametrize("answers_before", [0, 3])
def test_control_c_at_a_question_leaves_nothing(
    template: Path, tmp_path: Path, temporary: Path, answers_before: int
) -> None:
    terminal, its_end = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-c", CONTROLLED, str(BIN / "cookiecutter"), str(template)],
        cwd=tmp_path,
        env=environment(temporary),
        stdin=its_end,
        stdout=its_end,
        stderr=its_end,
        start_new_session=True,
    ) as process:
        os.close(its_end)
        seen = b""
        for number in range(1, answers_before + 2):
            while f"[{number}/".encode() not in seen:
                seen += os.read(terminal, 1024)
            if number == 1:
                assert len(list(temporary.iterdir())) == 1, "the copy is there"
            os.write(terminal, CONTROL_C if number > answers_before else b"\n")
        try:
            while os.read(terminal, 1024):
                pass
        except OSError:  # what Linux says when the other end is closed
            pass
    os.close(terminal)
    assert process.returncode != 0
    assert not list(temporary.iterdir())
    assert not (tmp_path / "my-service").exists()


CONTROLLED = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY)  # the terminal is the one that Ctrl-C is typed in
os.execv(sys.argv[1], [*sys.argv[1:], "--default-config"])
"""


@pytest.mark.parametrize(
    ("answer", "status"),
    # a choice that is none, such as license=GPL, cookiecutter refuses before it imports our code
    [("project_slug=my-service", 0), ("project_slug=My Service", 1)],
)
def test_the_end_leaves_nothing(
    template: Path, tmp_path: Path, temporary: Path, answer: str, status: int
) -> None:
    command = (BIN / "cookiecutter", "--no-input", "--default-config", str(template), answer)
    result = run(*command, cwd=tmp_path, **environment(temporary))
    assert (result.returncode != 0) == bool(status), result.stderr
    assert not list(temporary.iterdir())


def test_a_clone_among_temporary_files_is_not_taken_for_a_copy(
    template: Path, temporary: Path
) -> None:
    clone = temporary / "cookiecutter-templates" / "groundwork"
    clone.parent.mkdir()
    subprocess.run(["git", "clone", "--quiet", template, clone], check=True)
    run(sys.executable, "-c", "import hooks.engine", cwd=clone, **environment(temporary))
    assert (clone / "copier.yml").exists()

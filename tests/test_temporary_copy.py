"""cookiecutter's copy of this repository is gone when it ends, however that happens."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.projects import BIN, run

pytestmark = pytest.mark.slow


@pytest.fixture
def temporary(tmp_path: Path) -> Path:
    """Give the folder for temporary files, in which nothing may be left."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    return folder


def environment(temporary: Path) -> dict[str, str]:
    """Let cookiecutter keep its own files below the test's folder."""
    return {**os.environ, "TMPDIR": str(temporary), "HOME": str(temporary.parent)}


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

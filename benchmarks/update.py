"""Time an update from v0.1.0 to v0.2.0 as a whole process, beside its floor: a plain tree.

The floor is a template of as many files and bytes, without questions and conditions, whose second
version changes the same lines. `make update` is timed beside them.
Usage: python benchmarks/update.py [runs]
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from generation import plain_template, report, runs

from tests.projects import BIN, check, clone_template, commit_all, generate
from tests.services import use_environment
from tests.test_update import release_again

COPIER = [str(BIN / "copier"), "update", "--defaults", "--quiet"]
MAKE = ["make", "--silent", "update"]


def write_project(template: Path, project: Path) -> Path:
    """Write a project from v0.1.0, and commit it."""
    first = ("--vcs-ref", "v0.1.0", template, project)
    check(BIN / "copier", "copy", "--defaults", "--quiet", *first, cwd=template)
    commit_all(project)
    return project


def write_floor(folder: Path, project: Path) -> Path:
    """Write a project from the first of two versions of a plain template."""
    template = plain_template(folder / "plain", project, "copier")
    answers = template / "template" / ".copier-answers.yml"
    answers.unlink()
    answers.with_name(f"{answers.name}.jinja").write_text("{{ _copier_answers|to_nice_yaml -}}\n")
    commit_all(template)
    check("git", "tag", "v0.1.0", cwd=template)
    return write_project(release_again(template), folder / "floor")


def seconds(command: list[str], project: Path, target: Path) -> float:
    """Time one update of a copy of the project, which must bring the second version."""
    shutil.copytree(project, target)
    environment = {**os.environ, **use_environment(project)}
    start = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True, cwd=target, env=environment)
    elapsed = time.perf_counter() - start
    if not (target / "app" / "extra.py").exists():
        raise FileNotFoundError(target / "app" / "extra.py")
    shutil.rmtree(target)
    return elapsed


def main() -> None:
    """Print the medians and their ratios, run by run in turn so that drift hits all."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        template = clone_template(folder / "template")
        floor = write_floor(folder, generate("copier", template, folder / "fresh", {}))
        project = write_project(release_again(template), folder / "project")
        turns = [(COPIER, project), (MAKE, project), (COPIER, floor)]
        times: list[list[float]] = [[] for _ in turns]
        for _ in range(runs() + 1):
            for (command, source), measured in zip(turns, times, strict=True):
                measured.append(seconds(command, source, folder / "out"))
        *ours, plain = times
        for label, measured in zip(("copier update", "make update"), ours, strict=True):
            report(label, measured, plain)


if __name__ == "__main__":
    main()

"""Time an update from v0.1.0 to v0.2.0 as a whole process, beside what it cannot do without.

The floor is two renders of this template by copier in one process, of the old and of the new
version, and nothing else. `make update` and plain `copier update` are timed beside it, in turn.
Usage: python benchmarks/update.py [runs]
"""

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "template" / "scripts"))

from generation import runs

from tests.projects import BIN, check, clone_template, commit_all
from tests.services import use_environment
from tests.updates import release_again

RENDER = """
import sys
from copier import run_copy
for version in ("v0.1.0", "v0.2.0"):
    run_copy(sys.argv[1], version, vcs_ref=version, defaults=True, quiet=True)
"""


def seconds(command: list[str], project: Path, target: Path) -> float:
    """Time one update of a copy of the project, which must bring the second version."""
    shutil.copytree(project, target)
    environment = {**os.environ, **use_environment(project)}
    start = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True, cwd=target, env=environment)
    elapsed = time.perf_counter() - start
    if not list(target.glob("**/app/extra.py")):
        raise FileNotFoundError(target / "app" / "extra.py")
    shutil.rmtree(target)
    return elapsed


def main() -> None:
    """Print the medians and their ratios, run by run in turn so that drift hits all."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        template = release_again(clone_template(folder / "template"))
        project = folder / "project"
        first = ("--vcs-ref", "v0.1.0", template, project)
        check(BIN / "copier", "copy", "--defaults", "--quiet", *first, cwd=template)
        commit_all(project)
        commands = {
            "two renders": [sys.executable, "-c", RENDER, str(template)],
            "copier update": [str(BIN / "copier"), "update", "--defaults", "--quiet"],
            "make update": ["make", "--silent", "update"],
        }
        times: dict[str, list[float]] = {label: [] for label in commands}
        for _ in range(runs() + 1):
            for label, command in commands.items():
                times[label].append(seconds(command, project, folder / "out"))
        for label in commands:
            measured = times[label][1:]
            ratios = [
                f"{statistics.median(a / b for a, b in zip(measured, times[each][1:], strict=True)):.2f}"
                f" times {each}"
                for each in commands
                if each != label
            ]
            print(f"{label}: {statistics.median(measured):.2f} s, {', '.join(ratios)}")


if __name__ == "__main__":
    main()

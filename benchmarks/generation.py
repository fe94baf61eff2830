"""Time each engine as a whole process, beside its floor: the same engine, a plain tree.

The floor is a template of as many files and bytes, without questions, conditions or hooks.
Usage: python benchmarks/generation.py [runs]
"""

import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.projects import BIN, check, clone_template, commit_all, generate


def plain_template(folder: Path, project: Path, engine: str) -> Path:
    """Make a template that copies the files of a project as they are."""
    tree = folder / ("template" if engine == "copier" else "{{cookiecutter.project_slug}}")
    shutil.copytree(project, tree)
    for file in tree.rglob("*"):
        if file.is_file():
            text = file.read_text("utf-8")
            file.write_text(text.replace("{{", "((").replace("{%", "(%").replace("{#", "(#"))
    if engine == "copier":
        (folder / "copier.yml").write_text("_subdirectory: template\n")
    else:
        (folder / "cookiecutter.json").write_text('{"project_slug": "my-service"}\n')
    commit_all(folder)
    check("git", "gc", "--quiet", cwd=folder)
    return folder


def command(engine: str, template: Path, target: Path) -> list[str]:
    """Write the command that a user types for all defaults."""
    if engine == "copier":
        return [str(BIN / engine), "copy", "--quiet", "--defaults", str(template), str(target)]
    return [
        *(str(BIN / engine), "--no-input", "--default-config"),
        *("--output-dir", str(target), str(template)),
    ]


def seconds(arguments: list[str], target: Path) -> float:
    """Time one run into a new folder."""
    start = time.perf_counter()
    subprocess.run(arguments, check=True, capture_output=True)
    elapsed = time.perf_counter() - start
    shutil.rmtree(target)
    return elapsed


def runs() -> int:
    """Read how many runs are wanted; one more warms up."""
    return int(sys.argv[1]) if len(sys.argv) > 1 else 15


def report(label: str, ours: list[float], plain: list[float]) -> None:
    """Print the medians and the ratio of runs in turn, without the first of each."""
    ours, plain = ours[1:], plain[1:]
    ratios = [a / b for a, b in zip(ours, plain, strict=True)]
    print(
        f"{label:13}  groundwork {statistics.median(ours):.3f} s   "
        f"plain copy {statistics.median(plain):.3f} s   "
        f"ratio {statistics.median(ratios):.2f} ({len(ratios)} runs each)"
    )


def main() -> None:
    """Print the medians and their ratio, run by run in turn so that drift hits both."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        template = clone_template(folder / "template")
        project = generate("copier", template, folder / "project", {})
        for engine in ("copier", "cookiecutter"):
            floor = plain_template(folder / f"floor-{engine}", project, engine)
            target = folder / "out"
            times: dict[Path, list[float]] = {template: [], floor: []}
            for _ in range(runs() + 1):
                for source, measured in times.items():
                    measured.append(seconds(command(engine, source, target), target))
            report(engine, times[template], times[floor])


if __name__ == "__main__":
    main()

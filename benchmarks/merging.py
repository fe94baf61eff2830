"""Count what three ways to update do to edited lines, in the same cells.

A cell is one edited line of a file that the template changes: inserted, replaced or deleted, in a project
whose options change. `make update` and `git merge-file` merge all cells, plain `copier update` those of
the first round. Usage: python benchmarks/merging.py [rounds]
"""

import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from random import Random

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "template" / "scripts"))

from updating.files import File, Files

from tests.projects import change_answers, clone_template, commit_all, snapshot
from tests.rendering import save
from tests.test_update import PAIRS, Edit, texts_of_both
from tests.updates import files_of, rendered, snapshot_of, update_in_memory


def judge(edit: Edit, file: File | None) -> str:
    """Say what became of an edit."""
    lines = file.lines if file else []
    if any(line.startswith("<<<<<<< ") for line in lines):
        return "conflict, same lines" if edit.touches else "conflict, neighbours"
    if file and edit.is_in(file):
        return "right"
    if edit.kind != "delete" and lines.count(edit.mine) != 1:
        return "doubled" if edit.mine in lines else "lost"
    return "elsewhere or stale"


def merge_by_git(old: File, yours: File, new: File, folder: Path) -> File:
    """Merge one file with `git merge-file`."""
    paths = [folder / name for name in ("yours", "old", "new")]
    for path, file in zip(paths, (yours, old, new), strict=True):
        path.write_bytes(file.content)
    command = ["git", "merge-file", "-p", *map(str, paths)]
    return File("100644", subprocess.run(command, check=False, capture_output=True).stdout)


def update_by_copier(
    before: Files, yours: Files, answers: dict[str, object], folder: Path
) -> Files:
    """Update a project with plain `copier update`."""
    folder.mkdir()
    save(snapshot_of(before), folder)
    commit_all(folder)
    save(snapshot_of(yours), folder)
    commit_all(folder)
    change_answers(folder, **answers)
    return files_of(snapshot(folder))


def main() -> None:
    """Print how often each way ends how."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 24
    results: dict[str, Counter[str]] = {
        "make update": Counter(),
        "git": Counter(),
        "copier": Counter(),
    }
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        template = clone_template(folder / "template")
        for number, (before, after) in enumerate(PAIRS):
            old, new = rendered(template, before), rendered(template, after)
            random = Random(f"{before} {after}")  # noqa: S311
            for turn in range(rounds):
                edits = {n: Edit(old[n], new[n], random) for n in texts_of_both(old, new)}
                yours = old | {n: edit.yours for n, edit in edits.items()}
                merged = update_in_memory(old, yours, new).files
                copied = {}
                if turn == 0:
                    copied = update_by_copier(old, yours, dict(after), folder / str(number))
                for each, edit in edits.items():
                    results["make update"][judge(edit, merged.get(each))] += 1
                    file = merge_by_git(old[each], yours[each], new[each], folder)
                    results["git"][judge(edit, file)] += 1
                    if turn == 0:
                        results["copier"][judge(edit, copied.get(each))] += 1
    for label, counts in results.items():
        total = counts.total()
        listed = ", ".join(f"{cause} {count}" for cause, count in counts.most_common())
        print(f"{label}: {total} edits: {listed}")


if __name__ == "__main__":
    main()

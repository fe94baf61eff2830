"""Follow files to other paths: those of the template by its list, yours by their lines."""

from collections import Counter, defaultdict
from posixpath import basename, dirname

from updating.files import Files

LIKENESS = 0.6
FEWEST = 5


def follow(moved: dict[str, str], old: Files, yours: Files, new: Files) -> list[str]:
    """Bring the three versions to the same paths, in place; return where your edits have gone."""
    notes = []
    for path in list(old):
        target = path
        while target in moved and target not in new:
            target = moved[target]
        if target == path or target not in new or target in old:
            continue
        old[target] = old.pop(path)
        if path in yours and target not in yours:
            yours[target] = yours.pop(path)
            if yours[target] != old[target]:
                notes.append(f"{path}: moved to {target}, with your edits")
    for path, target in find_yours(old, yours, new).items():
        for files in (old, new):
            if path in files:
                files[target] = files.pop(path)
    return notes


def find_yours(old: Files, yours: Files, new: Files) -> dict[str, str]:
    """Map each path of the template to the one that you have moved it to.

    A file is the same if 60 % of its lines are. What else belongs to a folder that has moved as a
    whole goes with it.
    """
    own = {path: Counter(yours[path].lines) for path in yours.keys() - old.keys() - new.keys()}
    pairs = []
    # a few lines, such as those of __init__.py, are like many others
    for path in [path for path in old.keys() - yours.keys() if len(old[path].lines) >= FEWEST]:
        lines = Counter(old[path].lines)
        for target, others in own.items():
            common = 2 * (lines & others).total() / max((lines + others).total(), 1)
            if common >= LIKENESS:
                pairs.append((common, path, target))
    found: dict[str, str] = {}
    for _, path, target in sorted(pairs, reverse=True):
        if path not in found and target not in found.values():
            found[path] = target
    folders = defaultdict(set)
    for path, target in found.items():
        folders[dirname(path)].add(dirname(target))
    stay = {dirname(path) for path in old.keys() & yours.keys()}
    for path in (old.keys() | new.keys()) - found.keys() - yours.keys():
        folder = dirname(path)
        if len(folders[folder]) == 1 and folder not in stay | folders[folder]:
            target = f"{next(iter(folders[folder]))}/{basename(path)}"
            if target in yours or path not in old:
                found[path] = target
    return found

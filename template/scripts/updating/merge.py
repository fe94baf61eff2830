"""Merge your changes with those of the template."""

from dataclasses import dataclass, field
from difflib import SequenceMatcher
from posixpath import dirname
from typing import NamedTuple

from updating.files import ANSWERS, File, Files

Lines = list[str]


@dataclass
class Merged:
    """The files after the update, and what to know: what was left alone, in conflict, lost."""

    files: Files
    notes: list[str] = field(default_factory=list)
    conflicts: list[str] = field(default_factory=list)
    losses: list[str] = field(default_factory=list)


class Change(NamedTuple):
    """Lines that one side has in place of those from `start` to `end`."""

    start: int
    end: int
    lines: Lines
    yours: bool


def merge(old: Files, yours: Files, new: Files, untracked: set[str], label: str) -> Merged:
    """Merge each file; `untracked` ones are in no commit, `label` names the new version."""
    merged = Merged(dict(yours))
    obstacles = find_obstacles(old, yours, new, untracked)
    for path in sorted(old.keys() | new.keys()):
        before, own, after = old.get(path), yours.get(path), new.get(path)
        if after in (before, own):
            continue
        if after is None:
            del merged.files[path]
            if own != before:
                merged.losses.append(f"{path}: deleted, with your edits")
        elif path in obstacles:
            merged.notes.append(f"{path}: left out, {obstacles[path]}")
        elif own == before or path == ANSWERS:
            merged.files[path] = after
        elif own is not None:
            sides = (before or File(own.mode, b""), own, after)
            merge_file(merged, path, sides, label)
    return merged


def find_obstacles(old: Files, yours: Files, new: Files, untracked: set[str]) -> dict[str, str]:
    """Map each file of the template that you do not have to the reason why it is not written."""
    folders = {folder for path in yours for folder in parents(path)}
    emptied = {dirname(path) for path in old} - {
        dirname(path) for path in old.keys() & yours.keys()
    }
    # new migrations come to where you have replaced all others
    emptied -= {"migrations/versions"}
    found = {}
    for path in new.keys() - yours.keys():
        if path in untracked:
            found[path] = "a file that is not in git is there"
        elif path in old:
            found[path] = "you deleted it"
        elif path in folders:
            found[path] = "it is a folder of yours"
        elif files := parents(path) & yours.keys():
            found[path] = f"{min(files)} is a file of yours"
        elif gone := parents(path) & emptied:
            found[path] = f"you deleted what the template had in {min(gone)}"
    return found


def parents(path: str) -> set[str]:
    """List the folders above a path."""
    parts = path.split("/")
    return {"/".join(parts[:depth]) for depth in range(1, len(parts))}


def merge_file(merged: Merged, path: str, sides: tuple[File, File, File], label: str) -> None:
    """Merge a file that both sides have changed: the old one, yours and the new one."""
    before, own, after = sides
    if None in (before.text, own.text, after.text):
        merged.notes.append(f"{path}: left alone, the template changes it too but it is not text")
        return
    lines, conflict = merge_lines(before.lines, own.lines, after.lines, label)
    text = "".join(lines)
    if b"\r\n" in own.content:
        text = text.replace("\n", "\r\n")
    mode = own.mode if after.mode == before.mode else after.mode
    merged.files[path] = File(mode, text.encode("utf-8", "surrogateescape"))
    if conflict:
        merged.conflicts.append(path)


def merge_lines(old: Lines, yours: Lines, new: Lines, label: str) -> tuple[Lines, bool]:
    """Merge two versions of the same lines; the second value is whether they conflict.

    Changes conflict if they overlap or insert at the same point, not if they only touch.
    """
    changes = [*find_changes(old, yours, yours=True), *find_changes(old, new, yours=False)]
    changes.sort(key=lambda change: (change.start, change.end))
    result: Lines = []
    position, conflict = 0, False
    while changes:
        start, end = changes[0].start, changes[0].end
        group: list[Change] = []
        while changes and (changes[0].start < end or start == changes[0].start == changes[0].end):
            group.append(changes.pop(0))
            end = max(end, group[-1].end)
        base = old[start:end]
        left, right = (replace(old, start, end, group, yours=side) for side in (True, False))
        result += old[position:start]
        position = end
        if right in (base, left):
            result += left
        elif left == base:
            result += right
        else:
            result += mark(left, right, label)
            conflict = True
    return result + old[position:], conflict


def find_changes(old: Lines, changed: Lines, *, yours: bool) -> list[Change]:
    """Find what one side has changed."""
    blocks = SequenceMatcher(None, old, changed, autojunk=False).get_opcodes()
    return [Change(a, b, changed[c:d], yours) for tag, a, b, c, d in blocks if tag != "equal"]


def replace(old: Lines, start: int, end: int, group: list[Change], *, yours: bool) -> Lines:
    """Apply the changes of one side to a range of lines."""
    lines: Lines = []
    for change in group:
        if change.yours is yours:
            lines += old[start : change.start] + change.lines
            start = change.end
    return lines + old[start:end]


def mark(left: Lines, right: Lines, label: str) -> Lines:
    """Mark a conflict, without the lines at its ends in which both sides agree."""
    top: Lines = []
    bottom: Lines = []
    while left and right and left[0] == right[0]:
        top, left, right = [*top, left[0]], left[1:], right[1:]
    while left and right and left[-1] == right[-1]:
        bottom, left, right = [left[-1], *bottom], left[:-1], right[:-1]
    sides = ["<<<<<<< yours", *left, "=======", *right, f">>>>>>> {label}"]
    return [*top, *(line.removesuffix("\n") + "\n" for line in sides), *bottom]

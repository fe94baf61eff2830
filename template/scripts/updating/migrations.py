"""Keep the history of databases whole when features with tables are enabled and disabled.

A database remembers the migrations that it has run, so those of a disabled feature stay. A
migration of your own undoes them, and another one repeats them when the feature is enabled again.
"""

import ast
from collections import Counter, defaultdict
from secrets import token_hex
from typing import NamedTuple

from updating.files import File, Files

FOLDER = "migrations/versions/"
OWN_BRANCH = "own"
TEXT = '''"""{verb} the migrations that REVISIONS names."""

from collections.abc import Sequence

from alembic import context

REVISIONS = {revisions}
revision: str = "{revision}"
down_revision: str | Sequence[str] | None = {parents}
branch_labels: str | Sequence[str] | None = {labels}
depends_on: str | Sequence[str] | None = {others}


def upgrade() -> None:
    """Apply."""
    for script in {upgrade}()


def downgrade() -> None:
    """Undo."""
    for script in {downgrade}()
'''
STEP = """{}:
        if script.revision in REVISIONS:
            script.module."""
DOWN = STEP.format("context.script.walk_revisions()") + "downgrade"
UP = STEP.format("reversed(list(context.script.walk_revisions()))") + "upgrade"


class Migration(NamedTuple):
    """What there is to know about a file of migrations/versions."""

    path: str
    undoes: bool
    parents: list[str]
    depends_on: list[str]
    labels: list[str]
    handles: list[str]


Migrations = dict[str, Migration]
"""Migrations by their revision."""


def follow(old: Files, yours: Files, new: Files, after: Files) -> list[str]:
    """Keep, leave out and write migrations in `after`; return what to know about it."""
    before, own, coming = (read(files) for files in (old, yours, new))
    if "migrations/env.py" not in after or not coming.keys() | own.keys():
        return []
    gone = [name for name in before if name in own and name not in coming]
    after |= {own[name].path: yours[own[name].path] for name in gone}
    for name in coming.keys() & own.keys():
        if own[name].path != coming[name].path:
            after.pop(coming[name].path, None)
    notes = []
    while orphans := find_orphans(read(after), own):
        for path, parent in orphans.items():
            del after[path]
            notes.append(f"{path}: left out, it continues {parent}, which is not in your history")
    undone: Counter[str] = Counter()
    for migration in own.values():
        undone.update(dict.fromkeys(migration.handles, 1 if migration.undoes else -1))
    back = [name for name in coming if undone[name] > 0]
    for verb, names in (("Undo", gone), ("Repeat", back)):
        if names:
            path = write(after, verb, sorted(names))
            notes.append(f"{path}: a migration for your databases; read it, then run make migrate")
    return notes


def read(files: Files) -> Migrations:
    """Read the migrations of a project, without running them."""
    found = {}
    for path, file in files.items():
        if not path.startswith(FOLDER) or not path.endswith(".py"):
            continue
        values: defaultdict[str, list[str]] = defaultdict(list)
        undoes = False
        for node in file.module.body:
            if isinstance(node, ast.FunctionDef) and node.name == "upgrade":
                undoes = ".downgrade(" in ast.unparse(node)
            elif isinstance(node, ast.Assign | ast.AnnAssign) and node.value:
                target = node.target if isinstance(node, ast.AnnAssign) else node.targets[0]
                values[ast.unparse(target)] = texts(node.value)
        for revision in values["revision"]:
            parents, others = values["down_revision"], values["depends_on"]
            labels, handles = values["branch_labels"], values["REVISIONS"]
            found[revision] = Migration(path, undoes, parents, others, labels, handles)
    return found


def texts(value: ast.expr) -> list[str]:
    """List the texts of a literal."""
    return [
        node.value
        for node in ast.walk(value)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]


def find_orphans(known: Migrations, own: Migrations) -> dict[str, str]:
    """Map the path of each new migration to one that it needs and that is missing."""
    return {
        each.path: parent
        for name, each in known.items()
        if name not in own
        for parent in [*each.parents, *each.depends_on]
        if parent not in known
    }


def write(after: Files, verb: str, names: list[str]) -> str:
    """Write a migration behind the last of your own and all others; return its path."""
    known = read(after)
    heads = sorted(known.keys() - {name for each in known.values() for name in each.parents})
    own = [name for name in heads if is_own(known, name)]
    revision = token_hex(6)
    text = TEXT.format(
        verb=verb,
        revisions=literal(names, "[]"),
        revision=revision,
        parents=literal(own),
        labels="None" if own else f'("{OWN_BRANCH}",)',
        others=literal([name for name in heads if name not in own]),
        upgrade=DOWN if verb == "Undo" else UP,
        downgrade=UP if verb == "Undo" else DOWN,
    )
    path = f"{FOLDER}{revision}_{verb.lower()}_{'_'.join(names)}"[:90] + ".py"
    after[path] = File("100644", text.encode())
    return path


def is_own(known: Migrations, name: str) -> bool:
    """Return whether a migration belongs to your own branch."""
    if name not in known:
        return False
    return OWN_BRANCH in known[name].labels or any(is_own(known, n) for n in known[name].parents)


def literal(names: list[str], brackets: str = "()") -> str:
    """Write names as Python that needs no formatting."""
    if len(names) > 1:
        return "\n".join([brackets[0], *(f'    "{name}",' for name in names), brackets[1]])
    text = f'"{names[0]}"' if names else "None"
    return f"[{text}]" if brackets == "[]" else text

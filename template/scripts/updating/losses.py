"""Find what an update would take from your code."""

import ast
import re
from collections.abc import Iterator
from functools import lru_cache

from updating.files import File, Files

TABLE = re.compile(r"^ +__tablename__ = [\"'](\w+)[\"']", re.MULTILINE)


def find_losses(commit: Files, new: Files, after: Files) -> list[str]:
    """List the lines of your code that use what `after` no longer has, unlike the last commit."""
    lost = []
    before, now = modules(commit), modules(after)
    gone = "|".join(tables(commit) - tables(after))
    for path in own_code(new, after):
        for line, module, name in find_imports(path, after[path]):
            if any(offers(before, module, n) and not offers(now, module, n) for n in ("", name)):
                lost.append(
                    f"{path}:{line}: imports {module}{name and '.'}{name}, which is removed"
                )
        for line, text in enumerate(after[path].lines, 1):
            if gone and re.search(rf"[\"']({gone})\.\w+[\"']", text):
                lost.append(f"{path}:{line}: refers to a table that is dropped")
    return lost


def find_unowned(commit: Files, new: Files, after: Files) -> list[str]:
    """List your tables without an owner, when users are enabled."""
    if "users" not in tables(after) - tables(commit):
        return []
    return [
        f"{path}: {name} has no owner yet, a column that refers to users.id"
        for path in own_code(new, after)
        for name in TABLE.findall(after[path].text or "")
        if path not in new and "users.id" not in (after[path].text or "")
    ]


def own_code(new: Files, after: Files) -> list[str]:
    """List the Python files that are yours or have your edits."""
    changed = sorted(path for path in after if after[path] != new.get(path))
    return [p for p in changed if p.endswith(".py") and not p.startswith("migrations/")]


def tables(files: Files) -> set[str]:
    """Name the tables of all models."""
    code = [file.text or "" for path, file in files.items() if path.endswith(".py")]
    return {name for text in code for name in TABLE.findall(text)}


def find_imports(path: str, file: File) -> Iterator[tuple[int, str, str]]:
    """Yield the line, the module and the name of each import; no name for a whole module."""
    for node in ast.walk(file.module):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name, "") for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            package = path.split("/")[: -node.level] if node.level else []
            module = ".".join([*package, *filter(None, [node.module])])
            yield from ((node.lineno, module, alias.name) for alias in node.names)


def modules(files: Files) -> Files:
    """Map each module to its file, and each package to its __init__.py or to an empty file."""
    found: Files = {}
    for path, file in files.items():
        if path.endswith(".py"):
            name = path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
            found[name] = file
            while name := name.rpartition(".")[0]:
                found.setdefault(name, File("", b""))
    return found


def offers(known: Files, module: str, name: str) -> bool:
    """Return whether a module exists, and has the name."""
    if not name:
        return module in known
    return f"{module}.{name}" in known or (module in known and name in names(known[module]))


@lru_cache(maxsize=256)
def names(file: File) -> frozenset[str]:
    """Collect what a module defines or imports."""
    found = set()
    for node in ast.walk(file.module):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.alias):
            found.add((node.asname or node.name).partition(".")[0])
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.add(node.id)
    return frozenset(found)

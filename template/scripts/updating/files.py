"""The files of a project, in memory."""

import ast
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from updating.git import RefusedError

ANSWERS = ".copier-answers.yml"


class File(NamedTuple):
    """A file as git stores it: a mode such as 100644, and the content, or where a link leads."""

    mode: str
    content: bytes

    @classmethod
    def read(cls, path: Path) -> "File":
        """Read a file from disk."""
        if path.is_symlink():
            return cls("120000", str(path.readlink()).encode())
        return cls("100755" if path.stat().st_mode & 0o100 else "100644", path.read_bytes())

    @property
    def text(self) -> str | None:
        """Decode the content; None of a symbolic link and of a binary file."""
        if self.mode == "120000" or b"\0" in self.content:
            return None
        return self.content.decode("utf-8", "surrogateescape")

    @property
    def lines(self) -> list[str]:
        """Split a text into lines, each with its end, which is a line feed."""
        return (self.text or "").replace("\r\n", "\n").splitlines(keepends=True)

    @property
    def module(self) -> ast.Module:
        """Parse Python; an empty module if it is none, such as one with a conflict."""
        return parse(self.content)


@lru_cache(maxsize=256)
def parse(content: bytes) -> ast.Module:
    """Parse Python, once."""
    try:
        return ast.parse(content)
    except (SyntaxError, ValueError):
        return ast.Module(body=[], type_ignores=[])


Files = dict[str, File]
"""A file by its path in the project."""

Answers = dict[str, Any]
"""What a project remembers: its answers, and the template's address and version."""


def read_answers(files: Files) -> Answers:
    """Read what a project remembers.

    Raises:
        RefusedError: it cannot be read.
    """
    try:
        answers: Answers = yaml.safe_load(files[ANSWERS].content)
    except yaml.YAMLError as error:
        raise RefusedError(f"{ANSWERS} cannot be read: {error}") from error
    if not isinstance(answers, dict) or not answers.keys() >= {"_src_path", "_commit"}:
        raise RefusedError(f"{ANSWERS} has no _src_path and _commit: take it back from git.")
    return answers

"""The template: its versions, and what each of them renders."""

import ast
import os
import re
import warnings
from contextlib import suppress
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import yaml

from updating.files import ANSWERS, Answers, File, Files
from updating.git import Git, RefusedError, with_settings

RELEASE = re.compile(r"v?(\d+)\.(\d+)\.(\d+)")


class AnswersRefusedError(RefusedError):
    """The template refuses an answer, in a line `name: reason`."""


class Template:
    """A clone of the template's history."""

    def __init__(self, answers: Answers, workspace: Path, variables: dict[str, str]) -> None:
        """Clone the template of a project.

        Raises:
            RefusedError: it cannot be reached, or no longer has the project's version.
        """
        self.answers, self.workspace = answers, workspace
        source = str(answers["_src_path"])
        source = re.sub(r"^gh:/?(.*?)(\.git)?$", r"https://github.com/\1.git", source)
        source = re.sub(r"^gl:/?(.*?)(\.git)?$", r"https://gitlab.com/\1.git", source)
        source = re.sub(r"^(https://git(hub|lab)\.com/.*?)(\.git)?/?$", r"\1.git", source)
        self.address = re.sub(r"^((?:git\+)?https?://)[^/@]*@", r"\1", source)
        clone = workspace / "template.git"
        source = str(Path(source).expanduser()) if source.startswith("~") else source
        command = ("clone", "--quiet", "--mirror", "--", source.removeprefix("git+"), str(clone))
        Git(Path.cwd(), variables).run(*command)
        self.git = Git(clone, variables)
        self.current = self.find(str(answers["_commit"]))
        settings = {
            "core.attributesFile": os.devnull,
            "core.autocrlf": "false",
            f"url.{clone}.insteadOf": self.address.removeprefix("git+"),
        }
        # for copier, which keeps the environment of the moment in which it is imported
        os.environ.clear()
        os.environ |= {**with_settings(variables, settings), "COPIER_CACHE_DIR": str(workspace)}

    def find(self, name: str) -> str:
        """Find the commit of a version, a branch or a commit.

        Raises:
            RefusedError: there is none.
        """
        for each in (name, f"v{name}"):
            with suppress(RefusedError):
                return self.git.text("rev-parse", "--verify", "--quiet", f"{each}^0")
        tags = ", ".join(self.git.text("tag").split()) or "none yet"
        raise RefusedError(f"The template at {self.address} has no version {name}, but: {tags}.")

    def newest(self) -> str:
        """Find the newest release, or the newest commit until there is a release."""
        releases = {
            tuple(map(int, found.groups())): tag
            for tag in self.git.text("tag").split()
            if (found := RELEASE.fullmatch(tag))
        }
        newest = self.find(releases[max(releases)] if releases else "HEAD")
        return self.current if self.has(self.current, newest) else newest

    def choose(self, to: str, *, stay: bool) -> str:
        """Choose the version that is named, else the project's own or the newest.

        Raises:
            RefusedError: it is older than the project's.
        """
        if not to:
            return self.current if stay else self.newest()
        target = self.find(to)
        if target != self.current and self.has(self.current, target):
            raise RefusedError(f"{to} is older than the version that this project has.")
        return target

    def has(self, commit: str, ancestor: str) -> bool:
        """Return whether a commit is built on another."""
        return self.git.succeeds("merge-base", "--is-ancestor", ancestor, commit)

    def label(self, commit: str) -> str:
        """Name a commit by its release, or by its place behind one."""
        return self.git.text("describe", "--tags", "--always", commit)

    def read(self, commit: str, name: str) -> dict[str, Any]:
        """Read a YAML file of a version; empty if it has none."""
        if not self.git.succeeds("cat-file", "-e", f"{commit}:{name}"):
            return {}
        content: dict[str, Any] = yaml.safe_load(self.git.run("show", f"{commit}:{name}"))
        return content

    def questions(self, commit: str) -> list[str]:
        """List the questions that a version asks."""
        return [
            name
            for name, question in self.read(commit, "copier.yml").items()
            if not name.startswith("_")
            and not (question.get("secret") or question.get("when") is False)
        ]

    def render_possible(self, commit: str, answers: dict[str, Any]) -> Files:
        """Render a version, and disable what the answers make impossible.

        Raises:
            AnswersRefusedError: an answer is refused for another reason.
        """
        answers = dict(answers)
        while True:
            try:
                return self.render(commit, answers)
            except AnswersRefusedError as error:
                names = re.findall(r"^(\w+): ", str(error), re.MULTILINE)
                follow = [n for n in names if self.answers.get(n) is True and n not in answers]
                if not follow:
                    raise
                answers |= dict.fromkeys(follow, False)

    def render(self, commit: str, answers: dict[str, Any]) -> Files:
        """Render a version from what the project remembers and from these answers.

        Raises:
            AnswersRefusedError: the template refuses them.
        """
        from copier import run_recopy  # noqa: PLC0415  # as above

        folder = Path(mkdtemp(dir=self.workspace))
        remembered = yaml.safe_dump({**self.answers, "_src_path": self.address})
        (folder / ANSWERS).write_text(remembered, "utf-8")
        try:
            with warnings.catch_warnings(action="ignore"):
                run_recopy(
                    folder, answers, vcs_ref=commit, defaults=True, overwrite=True, quiet=True
                )
        except Exception as error:
            # the template refuses by the name of an attribute that nothing has
            found = re.search(r"'None' has no (?:attribute|element) (.*)", str(error), re.DOTALL)
            failure = f"copier cannot render {self.label(commit)}: {error}"
            reason = str(ast.literal_eval(found[1])) if found else failure
            raise AnswersRefusedError(reason) from error
        return {
            path.relative_to(folder).as_posix(): File.read(path)
            for path in sorted(folder.rglob("*"))
            if path.is_symlink() or path.is_file()
        }

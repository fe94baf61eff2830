"""Run git without the settings of the person that change what it writes."""

import json
import os
import re
import subprocess
from pathlib import Path

PINNED = {
    "core.fsmonitor": "false",
    "core.hooksPath": os.devnull,
    "core.quotePath": "false",
    "init.templateDir": "",
    "safe.bareRepository": "all",
    "safe.directory": "*",
    "submodule.recurse": "false",
    "transfer.credentialsInUrl": "allow",
    **{f"protocol.{name}.allow": "always" for name in ("file", "git", "http", "https", "ssh")},
}
# GIT_DIR of a hook, GIT_TEMPLATE_DIR and the like; what reaches a server stays
FOREIGN = re.compile(r"GIT_(?!ASKPASS|CONFIG_(?!PARAM)|CURL|HTTP|PROXY|SSH|SSL|TERMINAL|TRACE)")


class RefusedError(Exception):
    """Nothing was changed, for the reason that the message gives."""


def environment(workspace: Path) -> dict[str, str]:
    """Build an environment in which git has the settings that are pinned."""
    variables = {name: value for name, value in os.environ.items() if not FOREIGN.match(name)}
    # a file, because git forgets the rest when it reads another local repository
    home = variables.get("XDG_CONFIG_HOME", "~/.config")
    own = [f"{home}/git/config", "~/.gitconfig"]
    own = [variables["GIT_CONFIG_GLOBAL"]] if "GIT_CONFIG_GLOBAL" in variables else own
    lines = [f"[include]\npath = {json.dumps(path)}\n" for path in own if path]
    (workspace / "gitconfig").write_text("".join(lines) + "[safe]\ndirectory = *\n", "utf-8")
    return with_settings({**variables, "GIT_CONFIG_GLOBAL": str(workspace / "gitconfig")}, PINNED)


def with_settings(variables: dict[str, str], settings: dict[str, str]) -> dict[str, str]:
    """Add settings of git to an environment; they count above those of a repository."""
    first = int(variables.get("GIT_CONFIG_COUNT", "0"))
    result = {**variables, "GIT_CONFIG_COUNT": str(first + len(settings))}
    for number, (name, value) in enumerate(settings.items(), first):
        result |= {f"GIT_CONFIG_KEY_{number}": name, f"GIT_CONFIG_VALUE_{number}": value}
    return result


class Git:
    """Git in one folder and one environment."""

    def __init__(self, folder: Path, variables: dict[str, str]) -> None:
        """Keep the folder and the environment."""
        self.folder, self.variables = folder, variables

    def run(self, *arguments: str, data: bytes = b"") -> bytes:
        """Run a command with `data` as its input, and return what it prints.

        Raises:
            RefusedError: it failed; git's own words, without a secret of an address.
        """
        command = ["git", *arguments]
        result = subprocess.run(
            command,
            cwd=self.folder,
            env=self.variables,
            input=data,
            check=False,
            capture_output=True,
        )
        if result.returncode:
            words = result.stderr.decode(errors="replace").strip()
            raise RefusedError(re.sub(r"(\w://)[^/@\s]*@", r"\1", words))
        return result.stdout

    def text(self, *arguments: str) -> str:
        """Run a command, and return what it prints as text, without the last line end."""
        return self.run(*arguments).decode(errors="surrogateescape").rstrip("\n")

    def succeeds(self, *arguments: str) -> bool:
        """Return whether a command ends with status 0."""
        try:
            self.run(*arguments)
        except RefusedError:
            return False
        return True

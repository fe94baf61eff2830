"""Steps of this repository's own workflows, run here as GitHub runs them, with a stand-in for `gh`."""

import os
import subprocess
from pathlib import Path
from typing import Any

import yaml

from tests.projects import check, run
from tests.questions import REPOSITORY

WORKFLOWS = sorted((REPOSITORY / ".github" / "workflows").glob("*.yml"))
GH = """#!/usr/bin/env bash
printf '%s\\n' "$*" >>"$GH_CALLS"
for word in "$@"; do case "$word" in *.md) cp "$word" "$GH_CALLS.body" ;; esac; done
case "$*" in $GH_FAILS) exit 1 ;; esac
case "$1 $2" in "issue list" | "pr list") printf '%s' "$GH_FINDS" ;; esac
"""


def load(name: str) -> dict[str, Any]:
    """Read a workflow."""
    text = (REPOSITORY / ".github" / "workflows" / name).read_text("utf-8")
    workflow: dict[Any, Any] = yaml.safe_load(text)
    return {"on": workflow.pop(True), **workflow}  # YAML 1.1 reads the key `on` as a boolean


class Runner:
    """A machine that runs steps in a clone, and writes down how they call `gh`."""

    def __init__(self, folder: Path, clone: Path) -> None:
        """Make the folder in which runners keep files, and the stand-in."""
        self.folder = folder
        self.clone = clone
        (folder / "bin").mkdir(parents=True)
        stand_in = folder / "bin" / "gh"
        stand_in.write_text(GH, "utf-8")
        stand_in.chmod(0o755)

    def run(
        self, workflow: str, job: str, name: str, *, finds: str = "", fails: str = "", **values: str
    ) -> subprocess.CompletedProcess[str]:
        """Run the step of this name; `gh` finds one thing, and fails with arguments of one pattern."""
        steps = load(workflow)["jobs"][job]["steps"]
        step = next(step for step in steps if name in {step.get("name"), step.get("id")})
        return run(
            *("bash", "-e", "-c", step["run"]),
            cwd=self.clone,
            PATH=f"{self.folder / 'bin'}:{os.environ['PATH']}",
            RUNNER_TEMP=str(self.folder),
            GITHUB_OUTPUT=str(self.folder / "output"),
            GH_CALLS=str(self.folder / "calls"),
            GH_FINDS=finds,
            GH_FAILS=fails,
            **values,
        )

    def body(self) -> str:
        """Give the text that `gh` was last given to publish."""
        return (self.folder / "calls.body").read_text("utf-8")

    def calls(self) -> list[str]:
        """List the calls of `gh` since the last time, with paths relative to the runner's folder."""
        file = self.folder / "calls"
        text = file.read_text("utf-8") if file.exists() else ""
        file.unlink(missing_ok=True)
        return text.replace(f"{self.folder}/", "").splitlines()


def clone(repository: Path, folder: Path) -> Path:
    """Clone a repository, by way of a bare one that can be pushed to, as on a code host."""
    host = folder / "host.git"
    check("git", "clone", "--quiet", "--bare", repository, host, cwd=folder)
    check("git", "clone", "--quiet", host, folder / "clone", cwd=folder)
    return folder / "clone"

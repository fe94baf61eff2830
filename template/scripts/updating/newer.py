"""Let a newer version of these scripts do the update, once you have seen what it changes."""

import os
import subprocess
from difflib import unified_diff
from pathlib import Path

from updating.files import Files
from updating.project import Project
from updating.request import confirm, say


def find_scripts(project: Project, old: Files, new: Files) -> Files:
    """Find the scripts of the new version; nothing if those that run are as new."""
    scripts = {path: file for path, file in new.items() if path.startswith("scripts/updat")}
    changed = any(file not in (old.get(p), project.files.get(p)) for p, file in scripts.items())
    inside = Path(__file__).resolve().is_relative_to(project.folder.resolve())
    return scripts if changed and inside else {}


def run(project: Project, scripts: Files, arguments: list[str]) -> int:
    """Show what the scripts change, ask, and run them; return their status.

    Raises:
        RefusedError: the answer is no.
    """
    for path, file in scripts.items():
        target = project.workspace / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(file.content)
        before = project.files[path].lines if path in project.files else []
        say(*(line.rstrip("\n") for line in unified_diff(before, file.lines, path, path)))
    confirm("The template has newer scripts for updates, which run next:", sorted(scripts))
    command = [os.environ.get("UV", "uv"), "run", "--quiet", "--script"]
    script = project.workspace / "scripts" / "update.py"
    command += [str(script), *arguments]
    return subprocess.run(command, check=False, env=project.git.variables).returncode

"""Render the template in memory, hundreds of times: each of its files is compiled only once.

What the engines add is tried where they are the subject; test_parity shows that they write this.
"""

import fnmatch
import stat
from functools import cache
from pathlib import Path, PurePath

from jinja2 import Environment, FileSystemLoader

from hooks.engine import copier_environment, excluded_patterns, find_faults, load_config
from tests.projects import Snapshot
from tests.questions import Answers, default_answers, is_hidden


def render(template: Path, answers: Answers, source: str = "") -> Snapshot:
    """Map each file of a project, by its path, to its mode and bytes; `source` is the address.

    Raises:
        ValueError: an answer is refused.
    """
    answers = computed({**default_answers(), **answers})
    if faults := list(find_faults(answers)):
        raise ValueError("\n".join(faults))
    answers |= {"_repo_dir": str(template), "_src_path": source or str(template)}
    environment, files = load(template)
    patterns = list(excluded_patterns(answers))
    return {
        name: (mode, environment.get_template(name).render(cookiecutter=answers).encode())
        for name, mode in files.items()
        if not any(excludes(pattern, name) for pattern in patterns)
    }


def write(template: Path, parent: Path, answers: Answers) -> Path:
    """Write one project below `parent` and return its folder, as both engines do but sooner."""
    project = Path(parent, {**default_answers(), **answers}["project_slug"])
    save(render(template, answers), project)
    return project


def save(files: Snapshot, project: Path) -> None:
    """Write rendered files into a folder."""
    for name, (mode, content) in files.items():
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        (project / name).write_bytes(content)
        (project / name).chmod(mode)


@cache
def load(template: Path) -> tuple[Environment, dict[str, int]]:
    """Give what compiles the files of a template, and their modes by path."""
    tree = template / "template"
    environment = copier_environment()
    environment.loader = FileSystemLoader(tree)
    modes = {
        path.relative_to(tree).as_posix(): stat.S_IMODE(path.stat().st_mode)
        for path in sorted(tree.rglob("*"))
        if path.is_file()
    }
    return environment, modes


def computed(answers: Answers) -> Answers:
    """Add the values that copier.yml computes from answers, under cookiecutter's private names."""
    environment = copier_environment()
    for name, question in load_config().items():
        if is_hidden(question):
            value = environment.from_string(question["default"]).render(cookiecutter=answers)
            answers = {**answers, f"__{name}": value}
    return answers


def excludes(pattern: str, name: str) -> bool:
    """Tell whether a pattern of `_exclude` names this file or a folder above it.

    As in .gitignore, a pattern without a slash matches at any depth.
    """
    path = PurePath(name)
    if "/" in pattern:
        return any(str(each) == pattern for each in (path, *path.parents))
    return any(fnmatch.fnmatch(part, pattern) for part in path.parts)

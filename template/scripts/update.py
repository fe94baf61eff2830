# /// script
# requires-python = ">=3.11"
# dependencies = ["copier>=9.19,<10", "pyyaml>=6.0,<7"]
# ///
"""Update this project to a newer template, or change its answers.

    make update                     to the newest version of the template
    make update to=v1.2.0           to this version
    make update websockets=true     with this answer, at the version that the project has
    make update dry=1               show what would change, and change nothing

copier renders the old and the new version outside the project, and both are merged with your last
commit. Files of the project change last, all at once. With YES=1 no question is asked.
"""

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from updating import newer
from updating.combine import combine
from updating.files import read_answers
from updating.git import RefusedError, environment
from updating.project import Project
from updating.request import Request, confirm, say
from updating.template import Template

CONFLICTS = """\
You and the template changed the same lines of these files. Choose, remove the markers, run
make lint test, and commit. To go back instead: git restore . && git clean -di ."""
DONE = "Updated. Look at it with git diff, run make lint test, and commit."


def main() -> int:
    """Do what is asked for; the status is 0 if nothing is left to do."""
    if {"-h", "--help"} & set(sys.argv):
        say(__doc__)
        return 0
    try:
        request = Request.read(sys.argv[1:])
        with TemporaryDirectory(prefix="update-") as folder:
            workspace = Path(folder)
            variables = environment(workspace)
            project = Project(Path.cwd(), workspace, variables)
            if not request.outdated:
                project.refuse_changes()
            template = Template(project.answers, workspace, variables)
            if request.outdated:
                return report_newest(template)
            return update(request, project, template)
    except (RefusedError, KeyboardInterrupt, EOFError) as reason:
        sys.stderr.write(f"{str(reason) or 'Interrupted.'}\nNothing was changed.\n")
        return 1


def report_newest(template: Template) -> int:
    """Report whether there is a newer version of the template; the status is 1 if so."""
    newest = template.newest()
    if newest == template.current:
        say("There is no newer template.")
        return 0
    say(f"Template {template.label(newest)} is available. Update with: make update")
    return 1


def update(request: Request, project: Project, template: Template) -> int:
    """Render, combine, ask, write and report."""
    target = template.choose(request.to, stay=bool(request.answers))
    request.refuse_unknown(template.questions(target))
    old = template.render(template.current, {})
    new = template.render_possible(target, request.answers)
    if scripts := newer.find_scripts(project, old, new):
        return newer.run(project, scripts, request.arguments)
    moved = template.read(target, "moves.yml").get("moved", {})
    untracked = project.find_untracked(old.keys() | new.keys())
    version = template.label(target)
    plan = combine((old, project.files, new), moved, untracked, f"template {version}")
    project.leave_hidden(plan)
    tree = project.store(plan.files)
    came_from = "" if target == template.current else f"{template.label(template.current)} -> "
    say(f"Template {came_from}{version}")
    before, after = project.answers, read_answers(new)
    for name in [name for name in after if name[0] != "_" and before.get(name) != after[name]]:
        if name not in before:
            say(f"{name}: {after[name]}, a new option")
            continue
        say(f"{name}: {before[name]} -> {after[name]}")
        if name not in request.answers:
            plan.losses.insert(0, f"{name}: {after[name]}, because of your other answers")
    say(*plan.notes)
    confirm("This is lost, or stops working:", plan.losses, ask=not request.dry)
    if request.dry:
        conflicts = [f"{path}: a conflict, see above" for path in plan.conflicts]
        say(project.diff(tree), *conflicts, "Nothing was changed.")
        return 0
    say(*project.check_out(tree, plan.files.keys() - project.files.keys()))
    if plan.conflicts:
        say(CONFLICTS, *(f"  {path}" for path in plan.conflicts))
        return 1
    say(DONE if plan.files != project.files else "There is nothing to update.")
    return 0


if __name__ == "__main__":
    sys.exit(main())

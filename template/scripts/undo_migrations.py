"""Write a migration that undoes others: those of a part of the service that was switched off.

Databases have run them, so they stay. The new one does what their `downgrade` does, or with
`--repeat`, for a part that is back, what their `upgrade` does.
"""

from argparse import ArgumentParser
from pathlib import Path

from alembic.config import Config
from alembic.script import ScriptDirectory
from alembic.util import rev_id

PROJECT = Path(__file__).parents[1]
OWN_BRANCH = "own"
DOWNGRADE = """\
for script in context.script.walk_revisions():
        if script.revision in REVISIONS:
            script.module.downgrade()"""
UPGRADE = """\
for script in reversed(list(context.script.walk_revisions())):
        if script.revision in REVISIONS:
            script.module.upgrade()"""


def main() -> None:
    """Write the migration behind the last of your own, for `alembic upgrade heads` to run."""
    parser = ArgumentParser(description="Write a migration that undoes others.")
    parser.add_argument("--repeat", action="store_true", help="repeat them instead")
    parser.add_argument("revisions", nargs="+", metavar="REVISION")
    arguments = parser.parse_args()
    names = sorted(arguments.revisions)
    scripts = ScriptDirectory.from_config(Config(toml_file=PROJECT / "pyproject.toml"))
    heads = scripts.get_revisions("heads")
    own = [head.revision for head in heads if OWN_BRANCH in head.branch_labels]
    scripts.generate_revision(
        rev_id(),
        f"{'Repeat' if arguments.repeat else 'Undo'} {', '.join(names)}",
        head=own[0] if own else "base",
        branch_labels=None if own else OWN_BRANCH,
        depends_on=[head.revision for head in heads if head.revision not in own],
        imports=f"from alembic import context\n\nREVISIONS = {names}\n",
        upgrades=UPGRADE if arguments.repeat else DOWNGRADE,
        downgrades=DOWNGRADE if arguments.repeat else UPGRADE,
    )


if __name__ == "__main__":
    main()

"""Combine the last commit with what the template has changed, in memory."""

from updating import migrations, moves
from updating.files import Files
from updating.losses import find_losses, find_unowned
from updating.merge import Merged, merge


def combine(
    sides: tuple[Files, Files, Files], moved: dict[str, str], untracked: set[str], label: str
) -> Merged:
    """Combine the template's old version, your files and the template's new version.

    `moved` maps old paths of the template to new ones, `untracked` paths are in no commit, and
    conflicts name the new version by `label`.
    """
    old, yours, new = (dict(files) for files in sides)
    notes = moves.follow(moved, old, yours, new)
    plan = merge(old, yours, new, untracked, label)
    plan.notes[:0] = notes
    plan.notes += migrations.follow(old, yours, new, plan.files)
    plan.notes += find_unowned(sides[1], new, plan.files)
    plan.losses += find_losses(sides[1], new, plan.files)
    return plan

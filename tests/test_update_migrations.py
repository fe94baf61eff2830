"""The history of databases stays whole, whatever owners have done to their migrations."""

import ast
from pathlib import Path

import pytest
from updating.files import File, Files
from updating.migrations import read

from tests.questions import Answers
from tests.test_update import without
from tests.updates import rendered, update_in_memory

WITHOUT: Answers = {"database": "sqlite", "jwt_auth": False}
WITH: Answers = {"database": "sqlite", "jwt_auth": True}
FOLDER = "migrations/versions"
OWN = '''"""Add shops."""

revision: str = "{}"
down_revision: str | None = {}
branch_labels = {}
depends_on = {}
'''


def own(revision: str, parents: object, labels: object = None, others: object = None) -> Files:
    """Write a migration of the owner's."""
    text = OWN.format(revision, *map(repr, (parents, labels, others)))
    return {f"{FOLDER}/{revision}.py": File("100644", text.encode())}


def expect_whole(files: Files) -> None:
    """Expect that every migration that another one names is there."""
    known = read(files)
    for migration in known.values():
        assert {*migration.parents, *migration.depends_on, *migration.handles} <= known.keys()


def written(files: Files, before: Files) -> str:
    """Return the one migration that was written."""
    (name,) = [name for name in files.keys() - before.keys() if name.startswith(FOLDER)]
    return files[name].text or ""


@pytest.fixture(scope="module")
def sides(template: Path) -> tuple[Files, Files]:
    """Give a project without users, and one with users."""
    return rendered(template, WITHOUT), rendered(template, WITH)


def test_migrations_of_users_stay_and_are_undone_and_repeated(
    sides: tuple[Files, Files],
) -> None:
    without_users, with_users = sides
    disabled = update_in_memory(with_users, with_users, without_users)
    undo = written(disabled.files, with_users)
    assert f"{FOLDER}/users_0001.py" in disabled.files
    assert 'REVISIONS = [\n    "items_0002_owner",\n    "users_0001",\n]\n' in undo
    assert "down_revision: str | Sequence[str] | None = None\n" in undo
    assert 'branch_labels: str | Sequence[str] | None = ("own",)\n' in undo
    assert ast.unparse(ast.parse(undo)).index("downgrade()") < undo.index("def downgrade")
    expect_whole(disabled.files)

    # its first line is edited, and files have other names
    edited = {
        name.replace("users_0001", "accounts") if name.startswith(FOLDER) else name: File(
            file.mode, file.content.replace(b'"""Undo the', b'"""Take back the')
        )
        for name, file in disabled.files.items()
    }
    enabled = update_in_memory(without_users, edited, with_users)
    repeat = written(enabled.files, edited)
    assert 'REVISIONS = [\n    "items_0002_owner",\n    "users_0001",\n]\n' in repeat
    assert f"{FOLDER}/users_0001.py" not in enabled.files
    assert f"{FOLDER}/accounts.py" in enabled.files
    expect_whole(enabled.files)
    assert len(read(enabled.files)) == len(read(disabled.files)) + 1

    again = update_in_memory(with_users, enabled.files, without_users)
    assert "Undo" in written(again.files, enabled.files)
    assert len(again.files.keys() - enabled.files.keys()) == 1


def test_a_sample_that_was_deleted_does_not_come_back_with_users(
    sides: tuple[Files, Files],
) -> None:
    without_users, with_users = sides
    sample = [name for name in without_users if "items" in name]
    merged = update_in_memory(without_users, without(without_users, sample), with_users)
    assert not [name for name in merged.files if "items" in name]
    assert f"{FOLDER}/users_0001.py" in merged.files
    assert (
        f"{FOLDER}/items_0002_owner.py: left out, it continues items_0001, which is not in"
        " your history"
    ) in merged.notes
    expect_whole(merged.files)


def test_squashed_migrations_are_not_continued(sides: tuple[Files, Files]) -> None:
    without_users, with_users = sides
    squashed = without(without_users, [f"{FOLDER}/items_0001.py"]) | own("all", None, ("own",))
    merged = update_in_memory(without_users, squashed, with_users)
    assert set(read(merged.files)) == {"all", "users_0001"}
    expect_whole(merged.files)


def test_two_heads_of_your_own_are_joined(sides: tuple[Files, Files]) -> None:
    without_users, with_users = sides
    branches = own("first", None, ("own",)) | own("left", "first") | own("right", "first")
    merged = update_in_memory(with_users, with_users | branches, without_users)
    undo = written(merged.files, with_users | branches)
    assert '= (\n    "left",\n    "right",\n)\nbranch_labels' in undo
    assert "= None\ndepends_on" in undo
    # and of a branch that was merged with another one, the merge is continued
    merges = branches | own("merge", ("left", "right", "items_0002_owner"))
    merged = update_in_memory(with_users, with_users | merges, without_users)
    undo = written(merged.files, with_users | merges)
    assert 'down_revision: str | Sequence[str] | None = "merge"\n' in undo
    expect_whole(merged.files)


def test_migrations_go_with_the_database(template: Path, sides: tuple[Files, Files]) -> None:
    _, with_users = sides
    nothing = rendered(template, {"database": "none", "jwt_auth": False})
    merged = update_in_memory(with_users, with_users, nothing)
    assert not [name for name in merged.files if name.startswith("migrations")]

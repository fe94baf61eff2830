import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic.config import Config
from alembic.script import Script, ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Column, Enum, Integer, Table, insert, text

from app.database.base import Base, UtcDateTime
from app.items.models import Item
from tests.database.databases import PROJECT_ROOT, alembic, execute

pytestmark = pytest.mark.usefixtures("empty_database")

REVISION = """
import sqlalchemy as sa
from alembic import op

revision = "{revision}"
down_revision = {down_revision!r}


def upgrade() -> None:
    {upgrade}
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy of the migrations, to which a test may add some."""
    shutil.copy(PROJECT_ROOT / "pyproject.toml", tmp_path)
    shutil.copytree(PROJECT_ROOT / "migrations", tmp_path / "migrations")
    return tmp_path


@pytest.fixture
def notes() -> Iterator[Table]:
    """A table for which there is no migration yet."""
    table = Table("notes", Base.metadata, Column("id", Integer, primary_key=True))
    yield table
    Base.metadata.remove(table)


def add_revision(project: Path, revision: str, down_revision: str | None, upgrade: str) -> None:
    code = REVISION.format(revision=revision, down_revision=down_revision, upgrade=upgrade)
    (project / "migrations" / "versions" / f"{revision}.py").write_text(code)


def newest_first(project: Path) -> list[Script]:
    config = Config(toml_file=project / "pyproject.toml")
    return list(ScriptDirectory.from_config(config).walk_revisions())


def own_head(project: Path) -> Script | None:
    own = [script for script in newest_first(project) if "own" in script.branch_labels]
    return own[0] if own else None


def test_models_and_migrations_agree() -> None:
    alembic("upgrade", "heads")
    alembic("check")


def test_a_difference_between_them_is_found() -> None:
    alembic("upgrade", "heads")
    execute(text("ALTER TABLE items ADD COLUMN colour VARCHAR(10)"))
    with pytest.raises(CommandError, match="colour"):
        alembic("check")


def test_every_step_can_be_undone_and_done_again() -> None:
    alembic("upgrade", "heads")
    alembic("downgrade", "base")
    alembic("upgrade", "heads")
    alembic("check")
    execute(insert(Item).values(name="Ladder", description="", quantity=1))


def test_one_that_fails_leaves_nothing(project: Path) -> None:
    add_revision(project, "first", None, "op.create_table('nodes', sa.Column('id', sa.Integer()))")
    add_revision(project, "second", "first", "raise RuntimeError('no')")
    with pytest.raises(RuntimeError, match="no"):
        alembic("upgrade", "heads", project=project)
    execute(text("CREATE TABLE nodes (id INTEGER)"))
    alembic("upgrade", "heads")


def test_a_table_that_is_changed_takes_nothing_with_it(project: Path) -> None:
    execute(
        text("CREATE TABLE parents (id INTEGER PRIMARY KEY, name TEXT)"),
        text("CREATE TABLE children (parent INTEGER REFERENCES parents (id) ON DELETE CASCADE)"),
        text("INSERT INTO parents VALUES (1, NULL)"),
        text("INSERT INTO children VALUES (1)"),
    )
    change = "with op.batch_alter_table('parents') as table: table.drop_column('name')"
    add_revision(project, "change", None, change)
    alembic("upgrade", "change", project=project)
    assert len(execute(text("SELECT * FROM children"))) == 1


def test_your_own_follow_those_of_the_features(project: Path, notes: Table) -> None:
    before = own_head(project)
    alembic("upgrade", "heads", project=project)
    alembic("revision", project=project, message="add notes", autogenerate=True)
    first = own_head(project)
    assert first
    assert first.down_revision == (before.revision if before else None)
    assert first.branch_labels == {"own"}
    order = [script.revision for script in newest_first(project)]
    assert order.index(first.revision) < order.index("items_0001")

    alembic("upgrade", "heads", project=project)
    alembic("check", project=project)
    notes.append_column(Column("written_at", UtcDateTime()))
    notes.append_column(Column("state", Enum("open", "done", name="state")))
    alembic("revision", project=project, message="date notes", autogenerate=True)
    second = own_head(project)
    assert second
    assert second.down_revision == first.revision
    code = Path(second.path).read_text()
    assert "from app" not in code
    assert "sa.String(length=64)" in code
    alembic("upgrade", "heads", project=project)
    alembic("check", project=project)
    alembic("downgrade", "base", project=project)

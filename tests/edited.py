"""Projects that have been edited, and the answers that change in them."""

from pathlib import Path

from tests.projects import Snapshot, commit_all, expect_no_conflict
from tests.questions import Answers, default_answers, preset
from tests.services import add_own_router

DELETED = [".pre-commit-config.yaml"]
RENAMED = {"tests/test_logs.py": "tests/test_lines_of_the_log.py"}
OWN_FILES = {
    "app/shop/__init__.py": '"""The shop."""\n',
    "app/shop/prices.py": (
        '"""What things cost."""\n\nfrom humanize import intcomma\n\nLAMP = intcomma(1200)\n'
    ),
    "tests/test_prices.py": (
        "from app.shop.prices import LAMP\n\n\ndef test_a_price_can_be_read() -> None:\n"
        '    assert LAMP == "1,200"\n'
    ),
}
OWN_MODEL = "app/shop/models.py"
MODEL = '''"""The table of shops."""

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from app.database.base import Base


class Shop(Base):
    """A shop."""

    __tablename__ = "shops"

    name: Mapped[str] = mapped_column(String(100), primary_key=True)
'''
OWN_MIGRATION = "migrations/versions/shop_0001.py"
MIGRATION = '''"""Create the table of shops."""

import sqlalchemy as sa
from alembic import op

revision: str = "shop_0001"
down_revision: str | None = "items_0001"
branch_labels: str | None = "shop"
depends_on: str | None = None


def upgrade() -> None:
    """Apply."""
    op.create_table("shops", sa.Column("name", sa.String(100), primary_key=True))


def downgrade() -> None:
    """Undo."""
    op.drop_table("shops")
'''


def edit(file: Path, old: str, new: str) -> None:
    """Replace a text that must be there."""
    text = file.read_text("utf-8")
    assert old in text, f"{file} has no {old!r}"
    file.write_text(text.replace(old, new, 1), "utf-8")


def make_edits(project: Path, *, docker: bool = True) -> dict[str, str]:
    """Edit a project as its owner would; return a text of each edit by file."""
    add_own_router(project)
    edit(project / "README.md", "## Test\n", "Ask the shop team.\n\n## Test\n")
    edit(
        project / "Makefile", "# your own below\n", "# your own below\n\nseed:\n\tpython seed.py\n"
    )
    edit(
        project / "pyproject.toml",
        "    # your own below\n",
        '    # your own below\n    "humanize>=4.9,<5",\n',
    )
    edit(
        project / "app" / "settings.py",
        "    # your own below\n",
        '    # your own below\n    shop_name: str = "Corner"\n',
    )
    edit(project / ".env.example", "# your own below", "# your own below\nSHOP_NAME=Corner")
    edit(project / "app" / "health.py", "time_limit: float = 2.0", "time_limit: float = 5.0")
    for name in DELETED:
        (project / name).unlink()
    for old, new in RENAMED.items():
        (project / old).rename(project / new)
    for name, text in OWN_FILES.items():
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        (project / name).write_text(text, "utf-8")
    own = dict(OWN_FILES)
    if (project / "app" / "items").exists():
        items = "app/items/service.py"
        edit(project / items, "What can be done with items.", "What the shop does with items.")
        own[items] = "What the shop does with items."
        (project / OWN_MIGRATION).write_text(MIGRATION, "utf-8")
        (project / OWN_MODEL).write_text(MODEL, "utf-8")
        edit(
            project / "app" / "notes.py",
            "from app import API_PREFIX\n",
            "import app.shop.models  # noqa: F401\nfrom app import API_PREFIX\n",
        )
        own[OWN_MIGRATION] = MIGRATION
    if docker:
        edit(project / "Dockerfile", "# A number, because", "ENV TZ=UTC\n\n# A number, because")
        own["Dockerfile"] = "ENV TZ=UTC"
    commit_all(project, "Edit")
    return own | {
        "app/notes.py": "class Note(BaseModel)",
        "app/main.py": "app.include_router(notes.router)",
        "README.md": "Ask the shop team.",
        "Makefile": "python seed.py",
        "pyproject.toml": "humanize>=4.9,<5",
        "app/settings.py": 'shop_name: str = "Corner"',
        ".env.example": "SHOP_NAME=Corner",
        "app/health.py": "time_limit: float = 5.0",
    }


def expect_clean(project: Path, edits: dict[str, str]) -> None:
    """Expect every edit, and neither a conflict marker nor a rejected change."""
    for name in [*DELETED, *RENAMED]:
        assert not (project / name).exists(), name
    for name in RENAMED.values():
        assert (project / name).exists(), name
    for name, text in edits.items():
        assert text in (project / name).read_text("utf-8"), name
    expect_no_conflict(project)


NO_DATA = {"database": "none", "jwt_auth": False}
FILE = {"database": "sqlite", "jwt_auth": False}
SERVER = {"database": "postgresql", "jwt_auth": False}
NOTHING_ELSE = {**SERVER, "cors": False, **dict.fromkeys(preset("full"), False)}
CHANGES: list[tuple[Answers, Answers]] = [
    ({"cors": True}, {"cors": False}),
    ({"docker": True}, {"docker": False}),
    (
        {"rate_limiting": False, "caching": False},
        {"rate_limiting": True, "caching": True},
    ),
    ({**SERVER, "caching": False}, {**SERVER, "caching": True}),
    ({"ci": "github"}, {"ci": "gitlab"}),
    ({"ci": "gitlab"}, {"ci": "none"}),
    ({"license": "MIT"}, {"license": "Apache-2.0"}),
    ({"python_version": "3.13"}, {"python_version": "3.14"}),
    (NO_DATA, FILE),
    (FILE, SERVER),
    (SERVER, {**SERVER, "jwt_auth": True}),
    (FILE, {**FILE, "jwt_auth": True}),
    (NO_DATA, {"database": "postgresql", "jwt_auth": True}),
    ({"rate_limiting": True}, {"rate_limiting": False}),
    ({"telemetry": True}, {"telemetry": False}),
    ({**NO_DATA, "telemetry": False}, {**NO_DATA, "telemetry": True}),
    ({"websockets": False}, {"websockets": True}),
    ({"background_tasks": False}, {"background_tasks": True}),
    ({"caching": False}, {"caching": True}),
    ({"kubernetes": False, "heroku": False}, {"kubernetes": True, "heroku": True}),
    ({"aws": False}, {"aws": True}),
    (NOTHING_ELSE, {**NOTHING_ELSE, **preset("full")}),
]


def label(before: Answers, after: Answers) -> str:
    """Name a change by its answers."""
    defaults = default_answers()
    changes = {
        name: (before.get(name, defaults[name]), answer)
        for name, answer in after.items()
        if before.get(name, defaults[name]) != answer
    }
    if after.items() >= preset("full").items():
        return "nothing but a database → everything"
    text = ", ".join(
        f"`{name}` {_word(old)} → {_word(new)}" for name, (old, new) in changes.items()
    )
    if "database" in before and before["database"] == after.get("database"):
        text += f", on {before['database']}"
    return text.replace("on none", "without a database")


def _word(answer: object) -> str:
    return {True: "yes", False: "no"}[answer] if isinstance(answer, bool) else str(answer)


def row(before: Snapshot, after: Snapshot, edits: dict[str, str]) -> str:
    """Write down what a change has done: to files, without a conflict, and to no edit."""
    changed = sum(name in after and after[name] != content for name, content in before.items())
    added, removed = len(after.keys() - before.keys()), len(before.keys() - after.keys())
    kept = len(edits) + len(DELETED) + len(RENAMED)
    return f"{changed} | {added} | {removed} | 0 | {kept} of {kept}"


def keeps_docker(before: Answers, after: Answers) -> bool:
    """Return whether the Dockerfile is there before a change and after it."""
    return all(answers.get("docker", True) for answers in (before, after))

"""Models of the owner's, with any type of column, migrate on both databases."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from tests.edited import edit
from tests.projects import run
from tests.rendering import write
from tests.services import POSTGRESQL, ask_postgresql, install, need_postgresql, tool

pytestmark = pytest.mark.slow

TYPES = '''"""Types of columns of the shop's own."""

from decimal import Decimal
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import CHAR, Dialect, Enum, Numeric, String
from sqlalchemy.dialects import postgresql
from sqlalchemy.types import TypeDecorator, TypeEngine, UserDefinedType


class Money(TypeDecorator[Decimal]):
    """An amount of money; its currency is not stored."""

    impl = Numeric(12, 2)
    cache_ok = True

    def __init__(self, currency: str) -> None:
        """Remember the currency."""
        super().__init__()
        self.currency = currency


class Guid(TypeDecorator[UUID]):
    """A key, which each database stores in its own way."""

    impl = CHAR(32)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Let PostgreSQL store it as it is."""
        if dialect.name == "postgresql":
            return dialect.type_descriptor(postgresql.UUID())
        return dialect.type_descriptor(String(32))

    def process_bind_param(self, value: UUID | None, dialect: Dialect) -> UUID | str | None:
        """Write hexadecimal digits elsewhere."""
        return value if value is None or dialect.name == "postgresql" else value.hex

    def process_result_value(self, value: UUID | str | None, _dialect: Dialect) -> UUID | None:
        """Read them."""
        return UUID(value) if isinstance(value, str) else value


class Side(StrEnum):
    """Where something is."""

    LEFT = "left"
    RIGHT = "right"


class SideType(TypeDecorator[Side]):
    """An enum below a type of one's own."""

    impl = Enum(Side)
    cache_ok = True


class Label(UserDefinedType[str]):
    """A text whose type only this class can name."""

    cache_ok = True

    def get_col_spec(self, **_: object) -> str:
        """Name it."""
        return "TEXT"
'''

MODELS = '''"""The tables of the shop."""

from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum as PlainEnum
from enum import IntEnum, StrEnum
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    JSON,
    CheckConstraint,
    DateTime,
    Double,
    Enum,
    ForeignKey,
    Index,
    LargeBinary,
    Numeric,
    String,
    Text,
    UniqueConstraint,
    false,
    func,
    text,
    true,
)
from sqlalchemy.dialects import postgresql
from sqlalchemy.orm import Mapped, mapped_column

from app.database.base import Base, Keyed, Timestamped
from app.shop.types import Guid, Label, Money, Side, SideType


class Status(StrEnum):
    """Whether one may enter."""

    OPEN = "open"
    CLOSED = "closed"
    # further members


class Colour(PlainEnum):
    """The colour of the door."""

    RED = 1
    BLUE = 2
    # further colours


class Level(IntEnum):
    """How expensive it is."""

    LOW = 1
    HIGH = 2


class Shop(Keyed, Timestamped, Base):
    """A shop, with one column of each kind."""

    __tablename__ = "shops"
    __table_args__ = (
        UniqueConstraint("name", "code"),
        CheckConstraint("visits >= 0", name="visits"),
        Index(None, "name", "visits"),
        Index("ix_shops_visited", "name", postgresql_where=text("visits > 0")),
    )

    name: Mapped[str] = mapped_column(String(100), index=True)
    code: Mapped[str] = mapped_column(unique=True)
    status: Mapped[Status]
    last_status: Mapped[Status | None]
    size: Mapped[Literal["small", "large"]]
    colour: Mapped[Colour] = mapped_column(Enum(Colour))
    level: Mapped[Level] = mapped_column(Enum(Level, native_enum=False))
    door: Mapped[str] = mapped_column(Enum("left", "right", name="door"))
    watched: Mapped[Status] = mapped_column(
        Enum(Status, native_enum=False, create_constraint=True, name="watched")
    )
    first: Mapped[Status] = mapped_column(server_default=Status.OPEN.name)
    statuses: Mapped[list[Status]] = mapped_column(
        ARRAY(Enum(Status)).with_variant(JSON(), "sqlite")
    )
    price: Mapped[Decimal] = mapped_column(Money("EUR"))
    guid: Mapped[UUID] = mapped_column(Guid)
    label: Mapped[str] = mapped_column(Label)
    side: Mapped[Side] = mapped_column(SideType)
    tags: Mapped[list[str]] = mapped_column(
        postgresql.ARRAY(String(20)).with_variant(JSON(), "sqlite")
    )
    plain: Mapped[dict[str, Any]] = mapped_column(JSON)
    binary: Mapped[dict[str, Any]] = mapped_column(
        JSON().with_variant(postgresql.JSONB(), "postgresql")
    )
    native: Mapped[dict[str, Any]] = mapped_column(
        postgresql.JSONB().with_variant(JSON(), "sqlite"), server_default="{}"
    )
    key: Mapped[UUID]
    amount: Mapped[Decimal] = mapped_column(Numeric(10, 2), server_default="1.50")
    weight: Mapped[float] = mapped_column(Double)
    duration: Mapped[timedelta]
    day: Mapped[date]
    clock: Mapped[time]
    opened_at: Mapped[datetime] = mapped_column(server_default=func.now())
    moved_at: Mapped[datetime] = mapped_column(
        DateTime(timezone=True), server_default=func.current_timestamp()
    )
    image: Mapped[bytes] = mapped_column(LargeBinary)
    notes: Mapped[str] = mapped_column(Text, comment="What the owner's wife says")
    visits: Mapped[int] = mapped_column(server_default="0")
    is_open: Mapped[bool] = mapped_column(server_default=true())
    is_sold: Mapped[bool] = mapped_column(server_default=false())
    parent_id: Mapped[UUID | None] = mapped_column(
        ForeignKey("shops.id", ondelete="SET NULL"), index=True
    )
    owner_id: Mapped[UUID | None] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
'''

TEST = """from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from uuid import UUID

import pytest
from sqlalchemy import insert, select
from sqlalchemy.exc import IntegrityError, StatementError

from app.shop.models import Colour, Level, Shop, Status
from app.shop.types import Side
from tests.database.databases import execute

KEY = UUID(int=1)
VALUES = dict(
    id=KEY,
    name="Corner",
    code="c",
    status=Status.OPEN,
    last_status=None,
    size="small",
    colour=Colour.RED,
    level=Level.HIGH,
    door="left",
    watched=Status.CLOSED,
    statuses=["OPEN"],
    price=Decimal("9.99"),
    guid=UUID(int=2),
    label="Corner",
    side=Side.LEFT,
    tags=["a", "b"],
    plain={"a": 1},
    binary={"b": [2]},
    key=UUID(int=3),
    weight=0.5,
    duration=timedelta(minutes=90),
    day=date(2026, 3, 1),
    clock=time(9, 30),
    image=b"\\\\x00",
    notes="",
    parent_id=KEY,
    owner_id=None,
)
DEFAULTS = dict(
    first=Status.OPEN,
    native={},
    amount=Decimal("1.50"),
    visits=0,
    is_open=True,
    is_sold=False,
)


def test_what_is_stored_is_read() -> None:
    execute(insert(Shop).values(**VALUES))
    [row] = execute(select(Shop.__table__))
    stored = dict(row._mapping)  # noqa: SLF001  its public name
    stored["statuses"] = [getattr(status, "name", status) for status in stored["statuses"]]
    assert stored.items() >= (VALUES | DEFAULTS).items()
    assert datetime.now(UTC) - stored["opened_at"] < timedelta(minutes=1)


@pytest.mark.parametrize("unknown", [{"status": "ajar"}, {"size": "huge"}, {"door": "top"}])
def test_what_is_no_member_is_refused(unknown: dict[str, str]) -> None:
    with pytest.raises(StatementError, match="not among the defined enum values"):
        execute(insert(Shop).values(**VALUES | unknown))


@pytest.mark.parametrize("wrong", [{"visits": -1}, {"parent_id": UUID(int=9)}])
def test_constraints_hold(wrong: dict[str, object]) -> None:
    with pytest.raises(IntegrityError):
        execute(insert(Shop).values(**VALUES | wrong))
"""

TEST_OF_CHANGES = """

def test_new_members_are_stored() -> None:
    new = dict(status=Status.ON_HOLIDAY, watched=Status.ON_HOLIDAY, colour=Colour.ULTRAMARINE)
    new |= dict(last_status=Status.ON_HOLIDAY, size="medium", door="revolving")
    execute(insert(Shop).values(**VALUES | new))
    [row] = execute(select(Shop.__table__))
    assert dict(row._mapping).items() >= new.items()  # noqa: SLF001  its public name


def test_the_new_columns_are_there() -> None:
    execute(insert(Item).values(name="Ladder", description="", quantity=1))
    assert execute(select(Item.state, Item.size, Item.price)) == [(Status.OPEN, None, None)]
"""


@pytest.fixture(scope="module")
def installed(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    project = write(template, tmp_path_factory.mktemp("models"), {})
    install(project)
    return project


@pytest.fixture
def project(installed: Path, tmp_path: Path) -> Path:
    """A project whose owner has written models, and no migration yet."""
    project = tmp_path / "project"
    shutil.copytree(installed, project, ignore=shutil.ignore_patterns(".venv"))
    (project / ".venv").symlink_to(installed / ".venv")
    (project / "app" / "shop").mkdir()
    (project / "app" / "shop" / "__init__.py").write_text('"""The shop."""\n', "utf-8")
    (project / "app" / "shop" / "types.py").write_text(TYPES, "utf-8")
    (project / "app" / "shop" / "models.py").write_text(MODELS, "utf-8")
    (project / "tests" / "test_shop.py").write_text(TEST, "utf-8")
    edit(
        project / "app" / "main.py",
        "from app.features",
        "from app.shop import models as shop  # noqa: F401\nfrom app.features",
    )
    tool(project, "ruff", "check", "--quiet", "--fix", "app")
    return project


def change_the_models(project: Path) -> None:
    """Add members and columns, take some away, and change others."""
    models = project / "app" / "shop" / "models.py"
    edit(models, "# further members", 'ON_HOLIDAY = "closed until we are back"')
    edit(models, "# further colours", "ULTRAMARINE = 3")
    edit(models, 'Literal["small", "large"]', 'Literal["small", "large", "medium"]')
    edit(models, 'Enum("left", "right"', 'Enum("left", "right", "revolving"')
    edit(models, "    weight: Mapped[float] = mapped_column(Double)\n", "")
    edit(models, "    Double,\n", "")
    edit(models, "    clock: Mapped[time]\n", "    clock: Mapped[time | None]\n")
    edit(models, "mapped_column(String(100), index=True)", "mapped_column(String(200))")
    items = project / "app" / "items" / "models.py"
    edit(
        items,
        "    quantity: Mapped[int]\n",
        "    quantity: Mapped[int]\n"
        "    state: Mapped[Status] = mapped_column(server_default=Status.OPEN.name)\n"
        '    size: Mapped[Literal["small", "large"] | None]\n'
        '    price: Mapped[Decimal | None] = mapped_column(Money("EUR"))\n',
    )
    edit(
        items,
        "from app.database.base import Base, Keyed, Timestamped\n",
        "from app.database.base import Base, Keyed, Timestamped\n"
        "from app.shop.models import Status\nfrom app.shop.types import Money\n",
    )
    edit(
        items,
        "from uuid import UUID\n",
        "from decimal import Decimal\nfrom typing import Literal\nfrom uuid import UUID\n",
    )
    test = project / "tests" / "test_shop.py"
    edit(test, "    weight=0.5,\n", "")
    edit(test, "from app.shop", "from app.items.models import Item\nfrom app.shop")
    test.write_text(test.read_text("utf-8") + TEST_OF_CHANGES, "utf-8")


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The address of the database on which migrations are written."""
    need_postgresql()
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/own.db"
        return
    name = f"groundwork_{uuid4().hex}"
    ask_postgresql(tmp_path, f"CREATE DATABASE {name}")
    yield POSTGRESQL.rpartition("/")[0] + f"/{name}"
    ask_postgresql(tmp_path, f"DROP DATABASE {name} WITH (FORCE)")


def write_migration(project: Path, database: str, message: str) -> str:
    """Do what `make migration` and `make migrate` do."""
    folder = project / "migrations" / "versions"
    before = set(folder.iterdir())
    tool(
        project,
        *("alembic", "revision", "--autogenerate", "--message", message),
        DATABASE_URL=database,
        PATH=f"{project}/.venv/bin",
    )
    tool(project, "alembic", "upgrade", "heads", DATABASE_URL=database)
    [migration] = {file for file in folder.glob("*.py") if file not in before}
    return migration.read_text("utf-8")


def expect_what_make_lint_and_make_test_do(project: Path) -> None:
    """Check the code, and run the tests of the migrations and the owner's on both databases."""
    tool(project, "ruff", "check", "app", "migrations")
    tool(project, "ruff", "format", "--check", "app", "migrations")
    tool(project, "mypy", "app/shop", "migrations")
    for server in ("", POSTGRESQL):
        tests = ("tests/database/test_migrations.py", "tests/test_shop.py")
        result = run(
            *(project / ".venv" / "bin" / "python", "-m", "pytest", "-q", "--no-cov", *tests),
            cwd=project,
            TEST_DATABASE_URL=server,
        )
        assert result.returncode == 0, result.stdout + result.stderr


def test_models_of_all_kinds_migrate_on_both_databases(project: Path, database: str) -> None:
    tool(project, "alembic", "upgrade", "heads", DATABASE_URL=database)
    migration = write_migration(project, database, "add shops")
    # of the service, only the one type that nothing but its class can name
    assert migration.count("app.shop") == migration.count("app.shop.types.Label()") + 1

    change_the_models(project)
    migration = write_migration(project, database, "change shops")
    assert "app.shop" not in migration
    expect_what_make_lint_and_make_test_do(project)

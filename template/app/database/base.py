"""What the tables of all features have in common."""

import secrets
from datetime import UTC, datetime
from time import time_ns
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import DateTime, Dialect, Enum, MetaData, event
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import TypeDecorator

ENUM_LENGTH = 64


def utc_now() -> datetime:
    """Tell the time."""
    return datetime.now(UTC)


def uuid7() -> UUID:
    """Make a UUID that sorts by the time it was made (RFC 9562, sections 5.7 and 6.2)."""
    milliseconds, rest = divmod(time_ns(), 1_000_000)
    fraction = (rest << 12) // 1_000_000
    version, variant = 0b0111, 0b10
    bits = milliseconds << 80 | version << 76 | fraction << 64 | variant << 62
    return UUID(int=bits | secrets.randbits(62))


class UtcDateTime(TypeDecorator[datetime]):
    """A moment in UTC, on SQLite too, which knows no time zones."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, _dialect: Dialect) -> datetime | None:
        """Write in UTC.

        Raises:
            ValueError: the moment has no time zone, so nobody knows when it is.
        """
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a moment needs a time zone, such as datetime.now(UTC) has")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, _dialect: Dialect) -> datetime | None:
        """Read in UTC."""
        if value is None or value.tzinfo:
            return value
        return value.replace(tzinfo=UTC)


@event.listens_for(Enum, "before_parent_attach")
@event.listens_for(TypeDecorator, "before_parent_attach")
def store_as_text(type_: Enum | TypeDecorator[Any], _parent: object) -> None:
    """Store an enum as text on every database, so that a new member needs no migration.

    A type or a check constraint in the database would have to be changed with each member, and
    Alembic notices neither. The service checks what is written instead.
    """
    enum = type_.impl_instance if isinstance(type_, TypeDecorator) else type_
    if type(enum) is not Enum:
        return
    longest = max(map(len, enum.enums), default=0)
    if enum.length == longest:
        enum.length = max(longest, ENUM_LENGTH)
    enum.native_enum = enum.create_constraint = False
    enum.validate_strings = True


class Base(DeclarativeBase):
    """The base of every model; constraints have names, so that migrations can change them."""

    metadata = MetaData(
        naming_convention={
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        }
    )
    type_annotation_map: ClassVar = {datetime: UtcDateTime()}


class Keyed:
    """A model with a key that sorts by age and that no caller can guess."""

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)


class Timestamped:
    """A model that knows when it was made and when it last changed."""

    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    updated_at: Mapped[datetime] = mapped_column(default=utc_now, onupdate=utc_now)

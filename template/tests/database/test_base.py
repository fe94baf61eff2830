import time
from datetime import UTC, datetime, timedelta, timezone
from uuid import RFC_4122

import pytest
from sqlalchemy import insert, select
from sqlalchemy.exc import StatementError

from app.database.base import Base, uuid7
from app.items.models import Item
from tests.database.databases import execute

ITEM = dict(name="Ladder", description="", quantity=1)


def test_keys_are_uuids_of_version_7_with_the_time_in_front() -> None:
    before = time.time_ns() // 1_000_000
    key = uuid7()
    after = time.time_ns() // 1_000_000
    assert (key.version, key.variant) == (7, RFC_4122)
    assert before <= key.int >> 80 <= after


def test_keys_sort_by_age_and_differ() -> None:
    keys = []
    for _ in range(200):
        keys.append(uuid7())
        time.sleep(0.000_001)
    assert keys == sorted(keys)
    assert len({uuid7() for _ in range(10_000)}) == 10_000


def test_moments_come_back_in_utc() -> None:
    noon = datetime(2026, 3, 1, 12, tzinfo=timezone(timedelta(hours=5, minutes=30)))
    execute(insert(Item).values(**ITEM, created_at=noon))
    [[created_at]] = execute(select(Item.created_at).where(Item.created_at == noon))
    assert created_at == noon
    assert created_at.tzinfo is UTC


def test_a_moment_without_time_zone_is_refused() -> None:
    with pytest.raises(StatementError, match="needs a time zone"):
        execute(insert(Item).values(**ITEM, created_at=datetime(2026, 3, 1)))  # noqa: DTZ001


def test_every_constraint_has_a_name() -> None:
    for table in Base.metadata.tables.values():
        for constraint in table.constraints:
            assert constraint.name

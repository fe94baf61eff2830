"""Long lists, page by page."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Generic, TypeVar

from pydantic import BaseModel, Field
from sqlalchemy import Select, func, select
from sqlalchemy.ext.asyncio import AsyncSession

T = TypeVar("T")


class Paging(BaseModel):
    """Which part of a list is wanted; take it as `Annotated[Paging, Query()]`."""

    limit: Annotated[int, Field(ge=1, le=100)] = 20
    offset: Annotated[int, Field(ge=0, le=1_000_000)] = 0


class Page(BaseModel, Generic[T]):
    """A part of a list, and the length of the whole: what is sent of a `Slice`."""

    items: list[T]
    total: int


@dataclass(frozen=True)
class Slice(Generic[T]):
    """A part of the rows that a statement selects, and the number of all of them."""

    items: Sequence[T]
    total: int


async def read_slice(session: AsyncSession, statement: Select[T], paging: Paging) -> Slice[T]:
    """Read the wanted part; the order must end in a unique column, or rows may come twice."""
    count = select(func.count()).select_from(statement.order_by(None).subquery())
    rows = await session.scalars(statement.limit(paging.limit).offset(paging.offset))
    return Slice(items=rows.all(), total=await session.scalar(count) or 0)

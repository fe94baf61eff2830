"""What can be done with items."""

from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.database.paging import Slice, read_slice
from app.items.models import Item
from app.items.problems import ItemNotFoundError
from app.items.schemas import ItemIn, ItemOrder, ItemPatch, ItemSearch

ORDERS: dict[ItemOrder, ColumnElement[Any]] = {
    ItemOrder.OLDEST_FIRST: Item.created_at.asc(),
    ItemOrder.NEWEST_FIRST: Item.created_at.desc(),
    ItemOrder.BY_NAME: Item.name.asc(),
    ItemOrder.BY_NAME_REVERSED: Item.name.desc(),
    ItemOrder.FEWEST_FIRST: Item.quantity.asc(),
    ItemOrder.MOST_FIRST: Item.quantity.desc(),
}


class ItemService:
    """Items that have some values in common, such as their owner; no others exist here.

    A write fails with SQLAlchemy's IntegrityError if the name is taken.
    """

    def __init__(self, session: AsyncSession, **common: UUID) -> None:
        self.session = session
        self.common = common

    async def search(self, search: ItemSearch) -> Slice[Item]:
        """List those whose names contain a text, whatever its case."""
        statement = (
            select(Item)
            .filter_by(**self.common)
            .where(Item.name.icontains(search.name, autoescape=True))
            .order_by(ORDERS[search.sort], Item.id)
        )
        return await read_slice(self.session, statement, search)

    async def create(self, values: ItemIn) -> Item:
        """Add one."""
        item = Item(**values.model_dump(), **self.common)
        self.session.add(item)
        await self.session.flush()
        return item

    async def get(self, item_id: UUID, *, for_change: bool = False) -> Item:
        """Find one; `for_change` lets nobody else change it before the transaction ends.

        Raises:
            ItemNotFoundError: there is none.
        """
        statement = select(Item).filter_by(id=item_id, **self.common)
        if for_change:
            statement = statement.with_for_update()
        item = await self.session.scalar(statement)
        if item is None:
            raise ItemNotFoundError
        return item

    async def change(self, item_id: UUID, values: ItemIn | ItemPatch) -> Item:
        """Set the values that are given.

        Raises:
            ItemNotFoundError: there is none.
        """
        item = await self.get(item_id, for_change=True)
        for name, value in values.model_dump().items():
            setattr(item, name, value)
        await self.session.flush()
        return item

    async def delete(self, item_id: UUID) -> None:
        """Remove one.

        Raises:
            ItemNotFoundError: there is none.
        """
        item = await self.get(item_id, for_change=True)
        await self.session.delete(item)

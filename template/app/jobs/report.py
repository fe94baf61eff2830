"""A lasting task: a report over items."""

from typing import Literal

from pydantic import BaseModel, Field
# {% if database != 'none' %}
from sqlalchemy import case, func, select

from app.database.session import open_session
from app.items.models import Item
from app.items.schemas import Text
from app.jobs.dependencies import (
    Engine,
    # {% if jwt_auth %}
    OwnerId,
    # {% endif %}
)
# {% else %}

# {% endif %}
from app.jobs.schemas import (
    JobRequest,
    # {% if database == 'none' %}
    Quantity,
    # {% endif %}
)


class ReportRequest(JobRequest):
    # {% if database != 'none' %}
    """Which items to report on: those whose names contain a text."""
    # {% else %}
    """The quantities of the items to report on."""
    # {% endif %}

    task: Literal["report"]
    # {% if database != 'none' %}
    name: Text = Field(default="", examples=["lamp"])
    # {% else %}
    quantities: list[Quantity] = Field(
        default_factory=list, max_length=10_000, examples=[[3, 0, 12]]
    )
    # {% endif %}


class Report(BaseModel):
    """How many items there are, how many things these stand for, and how many are used up."""

    items: int
    quantity: int
    used_up: int


async def write_report(
    request: ReportRequest,
    # {% if database != 'none' %}
    engine: Engine,
    # {% endif %}
    # {% if jwt_auth %}
    owner_id: OwnerId,
    # {% endif %}
) -> Report:
    """Add up the items that are asked for."""
    # {% if database != 'none' %}
    statement = select(
        func.count(),
        func.coalesce(func.sum(Item.quantity), 0),
        func.coalesce(func.sum(case((Item.quantity == 0, 1), else_=0)), 0),
    ).where(
        # {% if jwt_auth %}
        Item.owner_id == owner_id,
        # {% endif %}
        Item.name.icontains(request.name, autoescape=True),
    )
    async with open_session(engine, read_only=True) as session:
        items, quantity, used_up = (await session.execute(statement)).one()
    return Report(items=items, quantity=quantity, used_up=used_up)
    # {% else %}
    quantities = request.quantities
    return Report(items=len(quantities), quantity=sum(quantities), used_up=quantities.count(0))
    # {% endif %}

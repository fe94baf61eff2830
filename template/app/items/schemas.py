"""What is sent and received about items."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated
from uuid import UUID

from pydantic import MISSING, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

from app.database.paging import Paging


def require_number(value: object) -> object:
    """Refuse `"1"` and `true`, which are numbers to pydantic, but not to JSON.

    Raises:
        ValueError: it is no number.
    """
    if isinstance(value, bool | str):
        raise ValueError("must be a number")  # noqa: TRY004  pydantic expects a ValueError
    return value


# NUL is the one character that not every database stores.
Text = Annotated[str, Field(pattern=r"^[^\x00]*$")]
Name = Annotated[
    str,
    StringConstraints(
        strip_whitespace=True,
        min_length=1,
        max_length=100,
        # Spaces around it are removed, so spaces alone are not a name.
        pattern=r"^[^\x00]*[^\s\x00][^\x00]*$",
    ),
    Field(examples=["Desk lamp"]),
]
Description = Annotated[Text, Field(max_length=1000, examples=["Warm white, with a dimmer"])]
Quantity = Annotated[
    int, Field(ge=0, le=2_147_483_647, examples=[3]), BeforeValidator(require_number)
]


class ItemIn(BaseModel):
    """An item as a caller describes it."""

    name: Name
    description: Description = ""
    quantity: Quantity = 0


class ItemPatch(BaseModel):
    """What to change of an item; the rest stays."""

    name: Name | MISSING = MISSING
    description: Description | MISSING = MISSING
    quantity: Quantity | MISSING = MISSING


class ItemOut(BaseModel):
    """An item as it is stored."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    name: str
    description: str
    quantity: int
    created_at: datetime
    updated_at: datetime


class ItemOrder(StrEnum):
    """In which order items are listed; a minus turns it round."""

    OLDEST_FIRST = "created_at"
    NEWEST_FIRST = "-created_at"
    BY_NAME = "name"
    BY_NAME_REVERSED = "-name"
    FEWEST_FIRST = "quantity"
    MOST_FIRST = "-quantity"


class ItemSearch(Paging):
    """Which items to list, and in which order."""

    name: Annotated[Text, Field(max_length=100)] = ""
    sort: ItemOrder = ItemOrder.OLDEST_FIRST

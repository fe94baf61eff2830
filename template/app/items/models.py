"""The table of items."""

# {% if jwt_auth %}
from uuid import UUID

# {% endif %}
from sqlalchemy import (
    # {% if jwt_auth %}
    ForeignKey,
    # {% endif %}
    String,
    UniqueConstraint,
)
from sqlalchemy.orm import Mapped, mapped_column

from app.database.base import Base, Keyed, Timestamped


class Item(Keyed, Timestamped, Base):
    """Something that is kept in some quantity."""

    __tablename__ = "items"
    __table_args__ = (
        UniqueConstraint(
            # {% if jwt_auth %}
            "owner_id",
            # {% endif %}
            "name",
        ),
    )

    # {% if jwt_auth %}
    # What was stored before the service had users belongs to nobody.
    owner_id: Mapped[UUID | None] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    # {% endif %}
    name: Mapped[str] = mapped_column(String(100))
    description: Mapped[str] = mapped_column(String(1000))
    quantity: Mapped[int]

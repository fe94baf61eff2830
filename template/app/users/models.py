"""The table of users."""

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from app.database.base import Base, Keyed, Timestamped


class User(Keyed, Timestamped, Base):
    """Somebody with an account.

    `scope` is what the user may ask for at login, as OAuth writes it: words between spaces.
    """

    __tablename__ = "users"

    email: Mapped[str] = mapped_column(String(320), unique=True)
    password_hash: Mapped[str] = mapped_column(String(255), deferred=True)
    scope: Mapped[str] = mapped_column(String(255), default="")
    is_active: Mapped[bool] = mapped_column(default=True)

"""Give items an owner, who may name them as others do theirs."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "items_0002_owner"
down_revision: str | Sequence[str] | None = "items_0001"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = "users_0001"


def upgrade() -> None:
    """Apply."""
    with op.batch_alter_table("items") as items:
        items.add_column(sa.Column("owner_id", sa.Uuid(), nullable=True))
        items.create_foreign_key(
            "fk_items_owner_id_users", "users", ["owner_id"], ["id"], ondelete="CASCADE"
        )
        items.drop_constraint("uq_items_name", type_="unique")
        items.create_unique_constraint("uq_items_owner_id_name", ["owner_id", "name"])


def downgrade() -> None:
    """Undo; it fails while two owners have items of one name."""
    with op.batch_alter_table("items") as items:
        items.drop_constraint("uq_items_owner_id_name", type_="unique")
        items.create_unique_constraint("uq_items_name", ["name"])
        items.drop_constraint("fk_items_owner_id_users", type_="foreignkey")
        items.drop_column("owner_id")

"""Lists are filtered by state and time: each state of a list is in the order of its ids."""

from __future__ import annotations

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_INDEXES = {
    "ix_delivery_state": 'delivery (state COLLATE "C", merchant_id, delivery_id)',
    "ix_shop_order_state": """shop_order (state COLLATE "C", merchant_id, purchase_id)
        WHERE purchase_id IS NOT NULL""",
    "ix_reward_state": 'reward (state COLLATE "C", merchant_id, reward_id)',
    "ix_reward_person_state": """reward
        (identity_group_id, merchant_id, state COLLATE "C", reward_id)""",
}
_REPLACED = ("ix_reward_merchant", "ix_reward_person")


def upgrade() -> None:
    """Nobody who writes waits for an index. Interrupted, it is begun again."""
    with op.get_context().autocommit_block():
        for name, what in _INDEXES.items():
            op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")
            op.execute(f"CREATE INDEX CONCURRENTLY {name} ON {what}")
        for name in _REPLACED:
            op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")

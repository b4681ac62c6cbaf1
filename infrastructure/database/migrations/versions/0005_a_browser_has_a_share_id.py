"""A browser has a share id beside its client id, for the links that it shares."""

from __future__ import annotations

from alembic import op
from sqlalchemy import text

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_BATCH_SIZE = 5_000
_BEFORE_ALL = "00000000-0000-0000-0000-000000000000"

_FILL_SOME = text(
    f"""
    WITH page AS (
        SELECT identity_node_id FROM identity_node
        WHERE identity_node_id > CAST(:node_id AS uuid)
        ORDER BY identity_node_id LIMIT {_BATCH_SIZE}
    ), filled AS (
        UPDATE identity_node SET share_id = gen_random_uuid()
        FROM page
        WHERE identity_node.identity_node_id = page.identity_node_id AND share_id IS NULL
    )
    SELECT identity_node_id FROM page ORDER BY identity_node_id DESC LIMIT 1
    """
)
_IS_SWITCHED = (
    "SELECT EXISTS (SELECT FROM pg_constraint WHERE conname = 'uq_identity_node_share_id')"
)
_SWITCH = """
    ALTER TABLE identity_node
        ADD CONSTRAINT uq_identity_node_share_id UNIQUE USING INDEX uq_identity_node_share_id,
        ADD CONSTRAINT identity_node_share_id_not_null NOT NULL share_id NOT VALID
"""


def upgrade() -> None:
    """Whoever comes meanwhile has a share id by the default; the others get theirs in batches.

    Nobody waits for more than the table's name. Interrupted, it is begun again.
    """
    if not op.get_bind().execute(text(_IS_SWITCHED)).scalar_one():
        # In two steps: with a default of its own, the column would have the table written anew.
        op.execute("ALTER TABLE identity_node ADD COLUMN IF NOT EXISTS share_id uuid")
        op.execute("ALTER TABLE identity_node ALTER COLUMN share_id SET DEFAULT gen_random_uuid()")
        with op.get_context().autocommit_block():
            place = {"node_id": _BEFORE_ALL}
            while (last := op.get_bind().execute(_FILL_SOME, place).scalar()) is not None:
                place = {"node_id": str(last)}
            op.execute("DROP INDEX CONCURRENTLY IF EXISTS uq_identity_node_share_id")
            op.execute(
                "CREATE UNIQUE INDEX CONCURRENTLY uq_identity_node_share_id"
                " ON identity_node (share_id)"
            )
        op.execute(_SWITCH)
    with op.get_context().autocommit_block():
        op.execute("ALTER TABLE identity_node VALIDATE CONSTRAINT identity_node_share_id_not_null")

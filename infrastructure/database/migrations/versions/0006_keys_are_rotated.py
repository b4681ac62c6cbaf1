"""While a shop changes its signing key over, the key before it verifies as well."""

from __future__ import annotations

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
        ALTER TABLE merchant_webhook
            ADD COLUMN previous_sealed_key bytea,
            ADD COLUMN previous_key_suffix text,
            ADD COLUMN previous_key_end_time timestamptz,
            ADD CONSTRAINT ck_merchant_webhook_previous_key_whole CHECK (
                num_nulls(previous_sealed_key, previous_key_suffix, previous_key_end_time)
                IN (0, 3))
        """
    )

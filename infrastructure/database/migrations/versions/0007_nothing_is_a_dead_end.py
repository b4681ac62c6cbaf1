"""Campaigns change by versions; the database knows the keys that its secrets are sealed with."""

from __future__ import annotations

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_STATEMENTS = """
ALTER TABLE budget_item
    ADD COLUMN limit_ever_base_units numeric(78, 0),
    ADD COLUMN first_version integer NOT NULL DEFAULT 1,
    ADD COLUMN last_version integer,
    DROP CONSTRAINT uq_budget_item_label;
UPDATE budget_item SET limit_ever_base_units = limit_base_units;
ALTER TABLE budget_item
    ALTER COLUMN limit_ever_base_units SET NOT NULL,
    ALTER COLUMN first_version DROP DEFAULT,
    ADD CONSTRAINT ck_budget_item_limit_ever_highest CHECK (
        limit_ever_base_units >= limit_base_units),
    ADD CONSTRAINT ck_budget_item_lasts_from_its_first CHECK (last_version >= first_version);
CREATE UNIQUE INDEX uq_budget_item_label ON budget_item (campaign_id, label)
WHERE last_version IS NULL;
CREATE INDEX ix_budget_item_campaign ON budget_item (campaign_id, position);
CREATE TABLE sealing_key (
    fingerprint bytea CONSTRAINT pk_sealing_key PRIMARY KEY,
    create_time timestamptz NOT NULL DEFAULT now())
"""


def upgrade() -> None:
    for statement in _STATEMENTS.split(";\n"):
        op.execute(statement)

"""A delivery is its signed bytes: told apart by their SHA-256, no more by an unsigned header."""

from __future__ import annotations

from alembic import op
from sqlalchemy import text

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_BATCH_SIZE = 5_000
_BEFORE_ALL = "00000000-0000-0000-0000-000000000000"

# As the code has it: a trial that was passed over is another delivery than its bytes in earnest.
_SIGNED = """
    CASE WHEN passed_over = 'trial' THEN sha256(CAST('trial.' AS bytea) || sha256(body))
         ELSE sha256(body) END
"""
_FILL_SOME = text(
    f"""
    WITH page AS (
        SELECT merchant_id, delivery_id FROM delivery
        WHERE (merchant_id, delivery_id) > (CAST(:merchant_id AS uuid), CAST(:delivery_id AS uuid))
        ORDER BY merchant_id, delivery_id LIMIT {_BATCH_SIZE}
    ), filled AS (
        UPDATE delivery SET signed_digest = {_SIGNED}
        FROM page
        WHERE delivery.merchant_id = page.merchant_id AND delivery.delivery_id = page.delivery_id
          AND delivery.signed_digest IS NULL
    )
    SELECT merchant_id, delivery_id FROM page ORDER BY merchant_id DESC, delivery_id DESC LIMIT 1
    """
)
# The same bytes may have been taken several times, under several ids. One delivery stands for them,
# which has the digest: one that was applied if there is any, then the first. The others have one
# that nothing else can have.
_PART = """
    UPDATE delivery
    SET signed_digest = CASE WHEN twin.stands THEN twin.digest
                             ELSE sha256(twin.digest || uuid_send(twin.delivery_id)) END
    FROM ({twins}) AS twin
    WHERE delivery.merchant_id = twin.merchant_id AND delivery.delivery_id = twin.delivery_id
"""
_TWINS = """
    SELECT merchant_id, delivery_id, signed_digest AS digest, false AS stands
    FROM (
        SELECT merchant_id, delivery_id, signed_digest, row_number() OVER (
            PARTITION BY merchant_id, platform, signed_digest
            ORDER BY state IN ('applied', 'ignored') DESC, delivery_id) AS number
        FROM delivery WHERE signed_digest IS NOT NULL
    ) AS numbered
    WHERE number > 1
"""
_CAME_MEANWHILE = f"""
    SELECT merchant_id, delivery_id, digest, row_number() OVER (
               PARTITION BY merchant_id, platform, digest ORDER BY delivery_id) = 1
           AND NOT EXISTS (
               SELECT FROM delivery AS known
               WHERE known.merchant_id = came.merchant_id AND known.platform = came.platform
                 AND known.signed_digest = came.digest) AS stands
    FROM (
        SELECT merchant_id, delivery_id, platform, {_SIGNED} AS digest
        FROM delivery WHERE signed_digest IS NULL
    ) AS came
"""
_IS_SWITCHED = "SELECT EXISTS (SELECT FROM pg_constraint WHERE conname = 'uq_delivery_signed')"
_SWITCH = """
    ALTER TABLE delivery
        DROP CONSTRAINT uq_delivery_event,
        ADD CONSTRAINT uq_delivery_signed UNIQUE USING INDEX uq_delivery_signed,
        ADD CONSTRAINT delivery_signed_digest_not_null NOT NULL signed_digest NOT VALID
"""


def upgrade() -> None:
    """Fills and indexes beside the reports of shops, which wait for the switch alone.

    That is as quick as the rows are few that came meanwhile. Interrupted, it is begun again.
    """
    if not op.get_bind().execute(text(_IS_SWITCHED)).scalar_one():
        op.execute("ALTER TABLE delivery ADD COLUMN IF NOT EXISTS signed_digest bytea")
        with op.get_context().autocommit_block():
            _fill()
            op.execute(_PART.format(twins=_TWINS))
            _index("UNIQUE INDEX", "uq_delivery_signed", "(merchant_id, platform, signed_digest)")
            _index("INDEX", "ix_delivery_unsigned", "(merchant_id) WHERE signed_digest IS NULL")
        op.execute("LOCK TABLE delivery IN ACCESS EXCLUSIVE MODE")
        op.execute(_PART.format(twins=_CAME_MEANWHILE))
        op.execute("DROP INDEX ix_delivery_unsigned")
        op.execute(_SWITCH)
    with op.get_context().autocommit_block():
        op.execute("ALTER TABLE delivery VALIDATE CONSTRAINT delivery_signed_digest_not_null")


def _fill() -> None:
    place = {"merchant_id": _BEFORE_ALL, "delivery_id": _BEFORE_ALL}
    while (last := op.get_bind().execute(_FILL_SOME, place).one_or_none()) is not None:
        place = {"merchant_id": str(last.merchant_id), "delivery_id": str(last.delivery_id)}


def _index(kind: str, name: str, columns: str) -> None:
    """An index that nobody waits for. One that an interrupted attempt left is of no use."""
    op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")
    op.execute(f"CREATE {kind} CONCURRENTLY {name} ON delivery {columns}")

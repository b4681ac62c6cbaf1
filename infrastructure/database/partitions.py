"""Tables that are partitioned by month: partitions made ahead, old ones dropped."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sqlalchemy import text

from infrastructure.database.transaction import Transaction

MONTHS_AHEAD = 2
_LONGEST_MONTH = timedelta(days=31)

_LIST = text(
    """
    SELECT child.relname FROM pg_inherits
    JOIN pg_class AS parent ON parent.oid = inhparent
    JOIN pg_class AS child ON child.oid = inhrelid
    WHERE parent.relname = :parent_name AND child.relname ~ '_[0-9]{6}$'
    """
)

_LOCK_TIMEOUT = text("SET LOCAL lock_timeout = '1s'")
_NO_STATEMENT_TIMEOUT = text("SET LOCAL statement_timeout = 0")
_NO_TRANSACTION_TIMEOUT = text("SET LOCAL transaction_timeout = 0")


async def keep_months(
    tx: Transaction, table: str, *, column: str, now: datetime, kept: timedelta
) -> None:
    """Makes the partitions of this month and the next two; drops those that are all too old.

    `column` is the time by which the table is partitioned.

    A partition is named after its table and month: `decision_202611`. What came before its
    partition is in the table's default partition, and is moved. Doing it twice changes nothing.

    Waits a second at most for a lock, another one that does the same included: whoever comes
    after it in the queue for that would wait as well. Moving may take longer.
    """
    await tx.execute(_LOCK_TIMEOUT)
    await tx.execute(_NO_STATEMENT_TIMEOUT)
    await tx.execute(_NO_TRANSACTION_TIMEOUT)
    key = f"partitions:{table}"
    await tx.execute(text("SELECT pg_advisory_xact_lock(hashtextextended(:key, 0))"), {"key": key})
    there = set((await tx.execute(_LIST, {"parent_name": table})).scalars())
    month = _first_of(now)
    for _ in range(MONTHS_AHEAD + 1):
        following = _first_of(month + _LONGEST_MONTH)
        name = f"{table}_{month:%Y%m}"
        if name not in there:
            await _make(tx, table, name, column, (month, following))
        month = following
    oldest = f"{table}_{_first_of(now - kept):%Y%m}"
    for name in sorted(there):
        if name < oldest:
            await tx.execute(text(f'DROP TABLE "{name}"'))


async def _make(
    tx: Transaction, table: str, name: str, column: str, span: tuple[datetime, datetime]
) -> None:
    """Makes a partition beside its table and attaches it, so that writers go on meanwhile."""
    start, following = (each.isoformat() for each in span)
    for statement in (
        # Otherwise a row that is written after the move keeps the partition from being attached.
        f'LOCK TABLE "{table}_default" IN ACCESS EXCLUSIVE MODE',
        f'CREATE TABLE "{name}" (LIKE "{table}" INCLUDING ALL)',
        f"""
        WITH moved AS (
            DELETE FROM "{table}_default"
            WHERE {column} >= '{start}' AND {column} < '{following}' RETURNING *)
        INSERT INTO "{name}" SELECT * FROM moved
        """,
        f"""
        ALTER TABLE "{table}" ATTACH PARTITION "{name}"
        FOR VALUES FROM ('{start}') TO ('{following}')
        """,
    ):
        await tx.execute(text(statement))


def _first_of(instant: datetime) -> datetime:
    utc = instant.astimezone(UTC)
    return datetime(utc.year, utc.month, 1, tzinfo=UTC)

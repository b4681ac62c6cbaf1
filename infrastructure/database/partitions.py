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


async def keep_months(tx: Transaction, table: str, *, now: datetime, kept: timedelta) -> None:
    """Makes the partitions of this month and the next two; drops those that are all too old.

    A partition is named after its table and month: `decision_202611`. Doing it twice changes
    nothing. Two at once wait for each other.
    """
    key = f"partitions:{table}"
    await tx.execute(text("SELECT pg_advisory_xact_lock(hashtextextended(:key, 0))"), {"key": key})
    there = set((await tx.execute(_LIST, {"parent_name": table})).scalars())
    month = _first_of(now)
    for _ in range(MONTHS_AHEAD + 1):
        following = _first_of(month + _LONGEST_MONTH)
        name = f"{table}_{month:%Y%m}"
        if name not in there:
            await tx.execute(
                text(
                    f'CREATE TABLE "{name}" PARTITION OF "{table}"'
                    f" FOR VALUES FROM ('{month.isoformat()}') TO ('{following.isoformat()}')"
                )
            )
        month = following
    oldest = f"{table}_{_first_of(now - kept):%Y%m}"
    for name in sorted(there):
        if name < oldest:
            await tx.execute(text(f'DROP TABLE "{name}"'))


def _first_of(instant: datetime) -> datetime:
    utc = instant.astimezone(UTC)
    return datetime(utc.year, utc.month, 1, tzinfo=UTC)

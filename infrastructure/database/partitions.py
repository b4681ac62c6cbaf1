"""Tables that are partitioned by month: partitions made ahead, old ones dropped."""

from __future__ import annotations

from sqlalchemy import text

from infrastructure.database.transaction import Transaction

KEEP_MONTHS = "keep_decision_months"
"""The function that does it, as the owner of the tables and by the database's own clock.

Processes may call it and no more: what it makes and drops, and when, is not theirs to say.
"""

_KEEP = text(f"SELECT {KEEP_MONTHS}()")
_NO_STATEMENT_TIMEOUT = text("SET LOCAL statement_timeout = 0")
_NO_TRANSACTION_TIMEOUT = text("SET LOCAL transaction_timeout = 0")


async def keep_months(tx: Transaction) -> None:
    """Makes the partitions of this month and the next two; drops those that are all too old.

    What came before its partition is in the table's default partition, and is moved. Doing it
    twice changes nothing.

    Waits a second at most for a lock, another one that does the same included: whoever comes
    after it in the queue for that would wait as well. Moving may take longer.
    """
    await tx.execute(_NO_STATEMENT_TIMEOUT)
    await tx.execute(_NO_TRANSACTION_TIMEOUT)
    await tx.execute(_KEEP)

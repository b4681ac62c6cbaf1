"""The time that all processes agree on: the database's."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sqlalchemy import text

from infrastructure.database.transaction import Database

SYNCHRONISED_EVERY = timedelta(minutes=1)
ROUND_TRIP_MAX = timedelta(seconds=1)

_NOW = text("SELECT clock_timestamp()")


class DatabaseClock:
    """The host's clock, put right by the database's whenever it is asked to.

    Hosts whose clocks differ would put one shop's reports in different orders. Reading this
    clock costs no round trip; before it is first put right, it is the host's.
    """

    def __init__(self) -> None:
        self._offset = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self._offset

    async def synchronise(self, database: Database) -> bool:
        """Asks the database for the time. Off by half of the round trip at the most.

        False if that took too long to be of use; then the clock is as it was.
        """
        async with database.single() as tx:
            begin = datetime.now(UTC)
            told: datetime = (await tx.execute(_NOW)).scalar_one()
            end = datetime.now(UTC)
        if end - begin > ROUND_TRIP_MAX:
            return False
        self._offset = told - (begin + (end - begin) / 2)
        return True

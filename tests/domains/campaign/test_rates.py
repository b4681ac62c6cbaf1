"""Exchange rates on PostgreSQL: the newest one that held at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID, uuid4

import pytest

from domains.campaign.model import ExchangeRate, Pair
from domains.campaign.repository import RateRepository
from infrastructure.database.transaction import Database, Transaction
from tests.support.races import beside
from vocabulary.ids import ExchangeRateId

NOON = datetime(2025, 3, 1, 12, tzinfo=UTC)
WEEK = timedelta(days=7)
MOMENT = timedelta(microseconds=1)
DOLLARS = Pair(base="USD", quote="EUR")
POUNDS = Pair(base="GBP", quote="EUR")

rates = RateRepository()


def a_rate(
    rate: str,
    observed: datetime = NOON,
    *,
    pair: Pair = DOLLARS,
    number: int | None = None,
    added: datetime | None = None,
) -> ExchangeRate:
    return ExchangeRate(
        exchange_rate_id=ExchangeRateId(uuid4() if number is None else UUID(int=number)),
        pair=pair,
        rate=Decimal(rate),
        observe_time=observed,
        source="test",
        create_time=added or observed,
    )


async def as_of(tx: Transaction, time: datetime, pair: Pair = DOLLARS) -> str | None:
    (found,) = await rates.as_of(tx, [(pair, time)], age_max=WEEK)
    return None if found is None else str(found.rate)


@pytest.mark.parametrize(
    ("elapsed", "is_known"),
    [
        (-MOMENT, False),
        (timedelta(), True),
        (WEEK - MOMENT, True),
        (WEEK, False),
        (WEEK + MOMENT, False),
    ],
)
async def test_a_rate_holds_from_its_instant_until_it_is_too_old(
    database: Database, elapsed: timedelta, is_known: bool
) -> None:
    """An order would be paid by a rate of the future, or by one of last month."""
    async with database.transaction() as tx:
        await rates.add(tx, a_rate("0.9"))

        assert await as_of(tx, NOON + elapsed) == ("0.9" if is_known else None)
        assert await as_of(tx, NOON + elapsed, POUNDS) is None


async def test_the_newest_rate_before_a_time_counts(database: Database) -> None:
    """Two orders of one instant would be paid by different rates."""
    async with database.transaction() as tx:
        await rates.add(tx, a_rate("0.8", NOON - timedelta(hours=1)))
        await rates.add(tx, a_rate("1.0", NOON + timedelta(hours=1)))
        # Of one instant that were added at one moment, the one with the greater id.
        await rates.add(tx, a_rate("0.9", number=2))
        await rates.add(tx, a_rate("0.7", number=1))

        assert await as_of(tx, NOON) == "0.9"
        assert await as_of(tx, NOON + timedelta(hours=1)) == "1.0"
        assert await as_of(tx, NOON - MOMENT) == "0.8"


async def test_a_correction_counts_whatever_the_clock_of_its_host_says(database: Database) -> None:
    """A rate that was typed wrong, and corrected by a process whose host is slow, would stay."""
    async with database.transaction() as tx:
        await rates.add(tx, a_rate("90", number=2, added=NOON + timedelta(minutes=1)))
        await rates.add(tx, a_rate("0.9", number=1, added=NOON + timedelta(minutes=2)))

        assert await as_of(tx, NOON) == "0.9"


async def test_rates_are_listed_as_they_count(database: Database) -> None:
    """The first one of an instant would not be the one that orders are paid by."""
    minute = timedelta(minutes=1)
    counting = [
        a_rate("1.5", NOON + minute, number=1),
        a_rate("1.4", number=2, added=NOON + 2 * minute),
        a_rate("1.3", number=5, added=NOON + minute),
        a_rate("1.2", number=4, added=NOON + minute, pair=POUNDS),
        a_rate("1.1", number=3, added=NOON + minute),
        a_rate("1.0", NOON - minute, number=6, added=NOON + 3 * minute),
    ]

    async def page(after: ExchangeRate | None, limit: int) -> Sequence[ExchangeRate]:
        place = None
        if after is not None:
            place = after.observe_time, after.create_time, after.exchange_rate_id
        return await rates.list_newest(tx, base=None, quote="EUR", after=place, limit=limit)

    async with database.transaction() as tx:
        for rate in sorted(counting, key=lambda each: each.rate):
            await rates.add(tx, rate)

        assert await page(None, 10) == counting
        for place, rate in enumerate(counting):
            assert await page(rate, 2) == counting[place + 1 : place + 3]


async def test_each_question_has_its_own_answer(database: Database) -> None:
    """The rates of a batch's orders would be mixed up."""
    async with database.transaction() as tx:
        await rates.add(tx, a_rate("0.9"))
        await rates.add(tx, a_rate("1.2", pair=POUNDS))

        found = await rates.as_of(
            tx, [(POUNDS, NOON), (DOLLARS, NOON - MOMENT), (DOLLARS, NOON)], age_max=WEEK
        )

    assert [each and str(each.rate) for each in found] == ["1.2", None, "0.9"]


async def test_a_rate_is_announced_by_one_worker_until_all_have_heard_of_it(
    real_database: Database,
) -> None:
    """Workers would wait for each other, or announce one rate for ever."""
    first, second = a_rate("0.8", number=1), a_rate("0.9", number=2)
    async with real_database.transaction() as tx:
        for rate in (second, first):
            await rates.add(tx, rate)

    async def claim(rate: ExchangeRate) -> ExchangeRate | None:
        async with real_database.transaction() as tx:
            return await rates.claim_unannounced(tx, rate.exchange_rate_id)

    async def unannounced() -> list[ExchangeRateId]:
        found: list[ExchangeRateId] = []
        async with real_database.transaction() as tx:
            while after := await rates.next_unannounced(tx, found[-1] if found else None):
                found.append(after)
        return found

    async with real_database.transaction() as tx:
        assert await rates.claim_unannounced(tx, first.exchange_rate_id) == first
        async with asyncio.timeout(5):
            assert await beside(claim(first)) is None
            assert await beside(claim(second)) == second
        await rates.set_announced(tx, first.exchange_rate_id, announced=True)

    assert (await claim(first), await claim(second)) == (None, second)
    assert await unannounced() == [second.exchange_rate_id]
    async with real_database.transaction() as tx:
        await rates.set_announced(tx, first.exchange_rate_id, announced=False)
    assert await claim(first) == first
    assert await unannounced() == [first.exchange_rate_id, second.exchange_rate_id]

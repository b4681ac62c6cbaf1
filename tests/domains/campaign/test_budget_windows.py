"""Budget windows on PostgreSQL: what is used never exceeds the limit, whoever asks."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from domains.campaign.model import BudgetItem, BudgetWindow, Charge, Refused, WindowKey
from domains.campaign.model.budget import ALL_TIME
from domains.campaign.repository import BudgetRepository, CampaignRepository, Consumption
from infrastructure.database.transaction import Database, Transaction
from tests.support.campaign import a_campaign, an_item
from tests.support.connections import holding
from tests.support.races import beside
from vocabulary.amounts import BASE_UNITS_MAX
from vocabulary.ids import RewardId

START, END = ALL_TIME
LIMIT = 100

budgets = BudgetRepository()


async def items_of(
    database: Database, *, count: int = 1, limit: int = LIMIT
) -> Sequence[BudgetItem]:
    """A campaign's items, in the order of their ids."""
    campaign = a_campaign(budget=[an_item(limit, label=f"{each}") for each in range(count)])
    async with database.transaction() as tx:
        await CampaignRepository().add(tx, campaign)
    return sorted(campaign.budget, key=lambda each: each.budget_item_id)


def key_of(item: BudgetItem) -> WindowKey:
    return WindowKey(item.budget_item_id, START)


async def charge(
    tx: Transaction,
    *charges: tuple[BudgetItem, int],
    refused: Sequence[tuple[BudgetItem, int]] = (),
) -> None:
    await budgets.charge(
        tx,
        [
            Charge(key=key_of(item), unit_key=item.unit.key, base_units=units)
            for item, units in charges
        ],
        [
            Refused(key=key_of(item), label=item.label, base_units=units, used=0, limit=item.limit)
            for item, units in refused
        ],
        ends={key_of(item): END for item, _ in (*charges, *refused)},
    )


async def window_of(tx: Transaction, item: BudgetItem) -> BudgetWindow | None:
    found = await budgets.list_windows(
        tx, item.campaign_id, {item.budget_item_id: item}, after=None, limit=10
    )
    return found[0] if found else None


@pytest.mark.parametrize("charges", [(LIMIT,), (1, LIMIT - 1), (LIMIT - 1, 1)])
async def test_a_window_is_used_up_to_its_limit(
    database: Database, charges: tuple[int, ...]
) -> None:
    """The last unit of a budget could not be spent."""
    (item,) = await items_of(database)
    async with database.transaction() as tx:
        for units in charges:
            await charge(tx, (item, units))
        window = await window_of(tx, item)
    assert window is not None
    assert window.used == LIMIT


@pytest.mark.parametrize("charges", [(LIMIT + 1,), (1, LIMIT), (LIMIT, 1)])
async def test_the_database_itself_refuses_what_is_above_the_limit(
    database: Database, charges: tuple[int, ...]
) -> None:
    """A mistake in reckoning would spend more than a merchant agreed to."""
    (item,) = await items_of(database)
    async with database.transaction() as tx:
        for units in charges[:-1]:
            await charge(tx, (item, units))
        with pytest.raises(AssertionError, match="above its limit"):
            await charge(tx, (item, charges[-1]))
        window = await window_of(tx, item)
    assert (window.used if window else 0) == sum(charges[:-1])


async def test_what_is_refused_is_counted_although_nothing_is_left(database: Database) -> None:
    """A merchant would not see how much a larger budget would have paid."""
    (item,) = await items_of(database)
    async with database.transaction() as tx:
        await charge(tx, (item, LIMIT))
        for _ in range(2):
            await charge(tx, refused=[(item, 7)])
        window = await window_of(tx, item)
    assert window is not None
    assert (window.used, window.refused_count, window.refused) == (LIMIT, 2, 14)


async def test_a_limit_that_was_lowered_blocks_new_charges_alone(database: Database) -> None:
    """A merchant who saves would stop their lane: what is refused could not be noted."""
    (item,) = await items_of(database)
    async with database.transaction() as tx:
        await charge(tx, (item, LIMIT))
        await tx.execute(text("UPDATE budget_item SET limit_base_units = 1"))
        await charge(tx, refused=[(item, 7)])
        window = await window_of(tx, item)
        assert window is not None
        assert (window.used, window.refused_count) == (LIMIT, 1)

        with pytest.raises(AssertionError, match="above its limit"):
            await charge(tx, (item, 1))


async def test_what_is_refused_may_be_more_than_can_be_counted(database: Database) -> None:
    """Two huge refusals would stop a merchant's lane for good."""
    (item,) = await items_of(database)
    async with database.transaction() as tx:
        for _ in range(2):
            await charge(tx, refused=[(item, BASE_UNITS_MAX), (item, BASE_UNITS_MAX)])
        window = await window_of(tx, item)
    assert window is not None
    assert (window.refused_count, window.refused) == (4, BASE_UNITS_MAX)


async def test_a_window_gets_back_what_a_reward_took_once(database: Database) -> None:
    """A refund would free what other rewards took, or a second one free it again."""
    (item,) = await items_of(database)
    kept, taken_back = RewardId(uuid4()), RewardId(uuid4())
    async with database.transaction() as tx:
        await charge(tx, (item, 60))
        await budgets.add_consumptions(
            tx,
            [
                Consumption(reward_id=reward_id, key=key_of(item), base_units=units)
                for reward_id, units in ((kept, 40), (taken_back, 20))
            ],
        )
        cause = uuid4()
        await budgets.release(tx, [(taken_back, cause)])
        with pytest.raises(DBAPIError, match="budget_entry"):
            async with tx.savepoint():
                await budgets.release(tx, [(taken_back, cause)])
        window = await window_of(tx, item)
    assert window is not None
    assert window.used == 40


async def is_free(tx: Transaction, budget_item_id: UUID) -> bool:
    """Whether nobody else has locked the window."""
    found = await tx.execute(
        text(
            "SELECT 1 FROM budget_window WHERE budget_item_id = :budget_item_id"
            " FOR NO KEY UPDATE SKIP LOCKED"
        ),
        {"budget_item_id": budget_item_id},
    )
    return found.first() is not None


@pytest.mark.parametrize("deed", ["lock", "release"])
async def test_windows_are_locked_in_the_order_of_their_keys(
    engine: AsyncEngine, real_database: Database, deed: str
) -> None:
    """Two workers would each hold a window that the other one waits for."""
    first, last = await items_of(real_database, count=2)
    reward_id = RewardId(uuid4())
    async with real_database.transaction() as tx:
        await charge(tx, (last, 1), (first, 1))
        await budgets.add_consumptions(
            tx,
            [
                Consumption(reward_id=reward_id, key=key_of(item), base_units=1)
                for item in (last, first)
            ],
        )

    async def lock() -> None:
        async with real_database.transaction() as tx:
            if deed == "lock":
                await budgets.lock(tx, [key_of(last), key_of(first)])
            else:
                await budgets.release(tx, [(reward_id, uuid4())])

    async with holding(
        engine,
        "SELECT 1 FROM budget_window WHERE budget_item_id = :id FOR NO KEY UPDATE",
        id=first.budget_item_id,
    ) as holder:
        locking = beside(lock())
        await holder.until_awaited()
        async with real_database.transaction() as tx:
            assert await is_free(tx, last.budget_item_id)
    await locking


async def test_windows_are_made_in_the_order_of_their_keys(
    engine: AsyncEngine, real_database: Database
) -> None:
    """Two workers that begin a month would each wait for the window that the other one makes."""
    first, last = await items_of(real_database, count=2)
    make = """
        INSERT INTO budget_window (budget_item_id, start_time, end_time, used_base_units)
        VALUES (:id, :start, :end, 0)
    """
    times = {"start": START, "end": END}

    async def make_both() -> None:
        async with real_database.transaction() as tx:
            await charge(tx, (last, 1), (first, 1))

    async with holding(engine, make, id=first.budget_item_id, **times) as holder:
        making = beside(make_both())
        await holder.until_awaited()
        # Nobody has made the last one yet, so nobody is waited for.
        async with asyncio.timeout(5):
            await holder.connection.execute(text(make), {"id": last.budget_item_id, **times})
    await making


async def test_a_window_that_was_read_stands_until_it_is_charged(real_database: Database) -> None:
    """Two that read the same rest would both spend it."""
    (item,) = await items_of(real_database)
    async with real_database.transaction() as tx:
        await charge(tx, (item, 1))

    async with real_database.transaction() as tx:
        state = await budgets.lock(tx, [key_of(item)])
        assert state.used_of(key_of(item)) == 1

        async def look() -> bool:
            async with real_database.transaction() as other:
                return await is_free(other, item.budget_item_id)

        assert not await beside(look())

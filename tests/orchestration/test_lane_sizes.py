"""How much a turn takes on: half as much after each that failed, and never too many lines."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from domains.campaign.model import Recipient
from domains.rewards.model import InteractionState, Obstacle
from domains.rewards.model.lane import WaitingLane
from infrastructure.database.engine import Limits, create_engine, database_of
from infrastructure.database.transaction import Database
from localmesh.postgres import Postgres
from orchestration.lane.flow import turns
from orchestration.lane.flow.turns import LaneTurns
from tests.orchestration.test_lane_rounds import lane_row, prepared
from tests.support.books import amounts_of, assert_books_balance, order_of, states_of
from tests.support.connections import holding
from tests.support.flows import NOON, flows_on
from tests.support.rules import a_campaign, percent
from tests.support.shop import Shop, a_shop
from tests.support.triggers import a_trigger
from vocabulary.ids import MerchantId

SECOND = timedelta(seconds=1)
HOUR = timedelta(hours=1)
A_WHILE = timedelta(minutes=6)
"""Longer than a lane ever rests."""

# A token with so many decimals that one order of this amount fits into a balance, and two do not.
DECIMALS = 58
ENORMOUS = "90000000000000000000"

_REWARDED = "IF NEW.state = 'decided' THEN PERFORM pg_sleep(0.1); END IF;"


@asynccontextmanager
async def a_hasty_worker(shop: Shop, postgres: Postgres, limits: Limits) -> AsyncIterator[Shop]:
    """The shop, served by a process whose database ends early what takes long."""
    engine = create_engine(postgres.url, pool_size=2, application_name="hasty", limits=limits)
    clock = shop.flows.clock
    yield shop.on(flows_on(database_of(engine), clock=clock, batch_size=8))
    await engine.dispose()


async def looks(worker: Shop, count: int) -> None:
    """So many looks, each when the lane has rested."""
    for _ in range(count):
        await worker.look()
        worker.flows.clock.advance(A_WHILE)


@pytest.mark.parametrize(
    ("failures", "size", "share"),
    [(0, 200, 200), (1, 200, 100), (2, 5, 1), (7, 200, 1), (10_000, 2_000, 1)],
)
def test_what_failed_is_tried_half_as_large(failures: int, size: int, share: int) -> None:
    """A batch that is too much for the database would be tried as it is, for ever."""
    lane = WaitingLane(
        merchant_id=MerchantId(UUID(int=1)), due_time=NOON, exists=True, failure_count=failures
    )

    assert lane.share_of(size) == share


@pytest.mark.parametrize("with_refunds", [False, True])
async def test_refunds_keep_no_batch_from_getting_smaller(
    real_database: Database, postgres: Postgres, *, with_refunds: bool
) -> None:
    """A shop with a refund now and then would not be paid while the database is slow."""
    shop = await a_shop(real_database, a_campaign())
    for number in range(5):
        await shop.report(f"R-{number}", clientId="buyer", ordered=NOON - HOUR)
    await shop.work()
    shop.flows.clock.advance(SECOND)
    for number in range(8):
        await shop.report(f"S-{number}", clientId="buyer")

    async with (
        a_trigger(real_database, "interaction", "UPDATE", _REWARDED),
        a_hasty_worker(shop, postgres, Limits(statement=timedelta(milliseconds=300))) as worker,
    ):
        for number in range(5):
            if with_refunds:
                await shop.report(f"R-{number}", "refunded", ordered=NOON - HOUR)
            await looks(worker, 1)

    states = await states_of(shop)
    assert {states[f"purchase:S-{number}"] for number in range(8)} == {InteractionState.DECIDED}
    # What is left of it is nothing: the lane is as it was.
    lane = await shop.flows.lane.get_lane(shop.merchant_id)
    assert (lane.obstacle, lane.retry_time) == (Obstacle.NONE, None)


async def test_a_lane_with_nothing_due_is_not_set_back_any_more(database: Database) -> None:
    """An operator would see an obstacle that nothing meets, and the next batch be a small one."""
    shop = await a_shop(database, a_campaign())
    await shop.report("A-1", clientId="buyer")
    await shop.work()
    async with a_trigger(database, "reversal", "UPDATE", "RAISE query_canceled;"):
        await shop.report("A-1", "refunded")
        await shop.look()
    assert (await lane_row(shop)).obstacle == Obstacle.TIMED_OUT
    shop.flows.clock.advance(A_WHILE)

    await shop.work()

    row = await lane_row(shop)
    assert (row.obstacle, row.failure_count, row.retry_time) == ("", 0, None)


async def test_less_is_taken_into_a_round_after_a_failure(
    real_database: Database, postgres: Postgres
) -> None:
    """In a slow database many orders that are due at once would never be taken in."""
    shop = await a_shop(real_database, a_campaign())
    for number in range(20):
        await shop.report(f"A-{number}", clientId="buyer")
    body = """
        IF OLD.ready_round IS NULL AND NEW.ready_round IS NOT NULL THEN
            PERFORM pg_sleep(0.05); END IF;
    """

    async with (
        a_trigger(real_database, "shop_order", "UPDATE", body),
        a_hasty_worker(shop, postgres, Limits(statement=timedelta(milliseconds=600))) as worker,
    ):
        await looks(worker, 10)

    assert set((await states_of(shop)).values()) == {InteractionState.DECIDED}


@pytest.mark.parametrize(
    "limits",
    [
        Limits(statement=timedelta(milliseconds=500)),
        Limits(transaction=timedelta(milliseconds=500)),
    ],
)
async def test_a_batch_that_takes_too_long_as_a_whole_gets_smaller(
    real_database: Database, postgres: Postgres, limits: Limits
) -> None:
    """The end of a transaction comes as a lost connection: the batch would be tried as it was."""
    shop = await a_shop(real_database, a_campaign())
    for number in range(8):
        await shop.report(f"A-{number}", clientId="buyer")

    async with (
        a_trigger(real_database, "interaction", "UPDATE", _REWARDED),
        a_hasty_worker(shop, postgres, limits) as worker,
    ):
        await looks(worker, 5)

    assert set((await states_of(shop)).values()) == {InteractionState.DECIDED}


async def test_a_batch_that_is_computed_for_too_long_gets_smaller(
    real_database: Database, postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An idle transaction is ended like a cut cable: on a slow machine nothing would be decided."""
    shop = await a_shop(real_database, a_campaign())
    for number in range(8):
        await shop.report(f"A-{number}", clientId="buyer")
    load_in = LaneTurns.load_in
    sizes = []

    async def slowly(self: LaneTurns, tx: Any, batch: Any) -> Any:
        outcome = await load_in(self, tx, batch)
        sizes.append(len(outcome.events))
        # As if it were computed: the transaction is idle.
        await asyncio.sleep(0.1 * len(outcome.events))
        return outcome

    monkeypatch.setattr(LaneTurns, "load_in", slowly)
    async with a_hasty_worker(
        shop, postgres, Limits(idle_in_transaction=timedelta(milliseconds=300))
    ) as worker:
        await looks(worker, 5)

    assert set((await states_of(shop)).values()) == {InteractionState.DECIDED}
    assert sizes[:3] == [8, 4, 2]


async def test_slow_reversals_are_dealt_with_in_smaller_parts(
    real_database: Database, postgres: Postgres
) -> None:
    """After a mass refund in a slow database no refund would ever be booked."""
    shop = await a_shop(real_database, a_campaign())
    for number in range(8):
        await shop.report(f"A-{number}", clientId="buyer")
    await shop.work()
    for number in range(8):
        await shop.report(f"A-{number}", "refunded")

    async with (
        a_trigger(real_database, "reward", "UPDATE", "PERFORM pg_sleep(0.1);"),
        a_hasty_worker(shop, postgres, Limits(statement=timedelta(milliseconds=500))) as worker,
    ):
        await looks(worker, 4)

    assert {units for _, units in await amounts_of(shop)} == {0}
    await assert_books_balance(real_database)


async def test_a_reversal_that_takes_too_long_steps_aside(
    engine: AsyncEngine, real_database: Database, postgres: Postgres
) -> None:
    """One refund whose account is held for long would stop all that a shop pays."""
    shop = await a_shop(real_database, a_campaign())
    await shop.buy("slow", "A-0")
    await shop.work()
    shop.flows.clock.advance(SECOND)
    await shop.report("A-0", "refunded", ordered=NOON)
    await shop.buy("buyer", "A-1")
    person = (await order_of(shop, "A-0")).identity_group_id

    lock = "SELECT 1 FROM account WHERE owner = :person FOR UPDATE"
    async with (
        a_hasty_worker(shop, postgres, Limits(statement=timedelta(milliseconds=300))) as worker,
        holding(engine, lock, person=person),
    ):
        await worker.look()
        lane = await shop.flows.lane.get_lane(shop.merchant_id)
        assert lane.retry_time is not None
        shop.flows.clock.now = lane.retry_time
        await worker.look()

    assert dict(await amounts_of(shop)) == {"purchase:A-0": 1_000_000, "purchase:A-1": 1_000_000}
    shop.flows.clock.advance(HOUR)
    await shop.work()
    assert dict(await amounts_of(shop)) == {"purchase:A-0": 0, "purchase:A-1": 1_000_000}


@pytest.mark.parametrize("first", ["poison", "slow"])
async def test_poison_and_a_slow_order_do_not_stop_a_lane(
    engine: AsyncEngine, real_database: Database, postgres: Postgres, first: str
) -> None:
    """Each alone steps aside; together neither would, and nothing behind them be paid."""
    shop = await a_shop(
        real_database, a_campaign(amount=percent("100"), to=Recipient.USER), decimals=DECIMALS
    )
    await shop.buy("poison", "A-0", totalPrice=ENORMOUS)
    await shop.buy("slow", "A-1", totalPrice="1")
    await shop.work()
    clock = shop.flows.clock
    totals = {"poison": ENORMOUS, "slow": "1"}
    for who in sorted(totals, reverse=first == "slow"):
        clock.advance(SECOND)
        await shop.buy(who, f"B-{who}", totalPrice=totals[who])
    clock.advance(SECOND)
    for number in range(4):
        await shop.buy("buyer", f"Z-{number}", totalPrice="1")
    person = (await order_of(shop, "A-1")).identity_group_id

    lock = "SELECT 1 FROM account WHERE owner = :person FOR UPDATE"
    async with (
        a_hasty_worker(shop, postgres, Limits(statement=timedelta(milliseconds=250))) as worker,
        holding(engine, lock, person=person) as holder,
    ):
        for _ in range(12):
            await looks(worker, 1)
            # Whoever is idle for long loses what they hold.
            await holder.until_awaited(by=0)

    states = await states_of(shop)
    assert {states[f"purchase:Z-{number}"] for number in range(4)} == {InteractionState.DECIDED}


@pytest.mark.parametrize(
    ("lines", "sizes"), [((3, 3, 3), [2, 1]), ((9, 1, 5), [1, 2]), ((6, 1), [2]), ((0, 0), [2])]
)
async def test_a_batch_has_no_more_lines_than_it_may(
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
    lines: tuple[int, ...],
    sizes: list[int],
) -> None:
    """Orders with a thousand lines each would take all the memory and time of a worker."""
    monkeypatch.setattr(turns, "LINES_MAX", 7)
    shop = await a_shop(database, a_campaign())
    line = {"productId": "sku", "quantity": 1, "price": "1", "name": "n", "title": "t"}
    for number, count in enumerate(lines):
        await shop.report(f"A-{number}", clientId="buyer", items=[line] * count)

    found: list[int] = []
    while sum(found) < len(lines):
        batch = await prepared(shop)
        found.append(batch.size)
        assert batch.is_last == (sum(found) == len(lines))
        outcome = await shop.flows.turns.decide(batch)
        assert outcome is not None
        await shop.flows.turns.finish(batch, outcome.let_go, is_complete=True)

    assert found == sizes


async def test_a_batch_that_is_cut_short_goes_not_past_referrals_nor_orders(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A referral would be decided before an order of its time that was left to the next batch."""
    monkeypatch.setattr(turns, "LINES_MAX", 1)
    shop = await a_shop(database, a_campaign())
    line = {"productId": "sku", "quantity": 1, "price": "1", "name": "n", "title": "t"}
    await shop.report("A-0", clientId="buyer", items=[line], ordered=NOON - SECOND)
    await shop.report("A-1", clientId="buyer", items=[line])
    await shop.arrive("friend")
    await shop.arrive("visitor", referrer="friend")

    batch = await prepared(shop)

    assert [each.order_reference for each in batch.orders] == ["A-0"]
    assert (batch.referrals, batch.is_last) == ([], False)
    # While the lane rests, both are open.
    await shop.flows.setbacks.open_again(batch)
    generations = [(await order_of(shop, order)).decided_generation for order in ("A-0", "A-1")]
    assert generations == [0, 0]

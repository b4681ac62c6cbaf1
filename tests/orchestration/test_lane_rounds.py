"""Rounds of a lane: in one order whatever the size of a batch, and whoever comes in between."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from domains.attribution.model import Utm
from domains.campaign.model import Trigger
from domains.purchases.model.lane_queue import LetGo
from domains.rewards.model import Obstacle, WaitingLane, referral_reference
from infrastructure.database.transaction import Database
from orchestration.arrival.flow import Arrival
from orchestration.lane.flow.prepared import PreparedBatch
from orchestration.lane.flow.turns import PROMOTED_MAX
from tests.support.books import amounts_of, assert_books_balance, order_of, read, states_of
from tests.support.connections import holding
from tests.support.flows import NOON, flows_on
from tests.support.rules import a_campaign
from tests.support.shop import Shop, a_shop

MINUTE = timedelta(minutes=1)
_SEQUENCE = """
    SELECT event_reference FROM decision JOIN interaction USING (interaction_id)
    WHERE decision.merchant_id = :merchant_id ORDER BY sequence
"""
_MANY_ORDERS = """
    WITH made AS (
        INSERT INTO shop_order (merchant_id, order_reference, create_time, purchase_id,
            first_report_time, state,
            event_time, body_hash, order_time, total, currency, items, hint_group_id, hint_key,
            interaction_generation, due_time)
        SELECT :merchant_id, 'A-' || lpad(number::text, 5, '0'), :now, gen_random_uuid(),
               :now, 'confirmed', :now, '', :now, 1, 'EUR', '[]', gen_random_uuid(), '1', 1,
               CAST(:now AS timestamptz) + number * interval '1 millisecond'
        FROM generate_series(1, :count) AS number
        RETURNING merchant_id, order_reference, due_time
    )
    INSERT INTO interaction
        (interaction_id, merchant_id, kind, order_reference, generation, due_time)
    SELECT gen_random_uuid(), merchant_id, 'purchase', order_reference, 1, due_time FROM made
"""
_MANY_REFERRALS = """
    INSERT INTO interaction (interaction_id, merchant_id, kind, identity_group_id,
        referral_link_id, event_time, referral_reference, due_time)
    SELECT gen_random_uuid(), :merchant_id, 'referral', gen_random_uuid(), gen_random_uuid(),
           :now, 'referral:' || number, CAST(:now AS timestamptz) + interval '1 hour'
    FROM generate_series(1, :count) AS number
"""
_LEFT = """
    SELECT (SELECT count(*) FROM shop_order WHERE due_time IS NOT NULL AND ready_round IS NULL)
         + (SELECT count(*) FROM interaction WHERE kind = 'referral' AND ready_round IS NULL)
        AS number
"""


async def the_lane(shop: Shop) -> WaitingLane:
    (lane,) = await shop.flows.reward.list_waiting_lanes(is_thorough=True)
    return lane


async def prepared(shop: Shop, *, limit: int = 200) -> PreparedBatch:
    """What a worker is about to decide."""
    if not (lane := await the_lane(shop)).exists:
        await shop.flows.turns.make(shop.merchant_id)
    batch = await shop.flows.turns.prepare(lane, limit=limit)
    assert batch is not None
    return batch


async def a_decided_life(database: Database) -> tuple[Shop, UUID, PreparedBatch]:
    """A shop, whose its order is, and what a worker decided that dies before it lets go of it."""
    shop = await a_shop(database, a_campaign())
    await shop.report("A-1", clientId="hinted")
    hinted = (await shop.arrive("hinted")).identity_group_id
    batch = await prepared(shop)
    outcome = await shop.flows.turns.decide(batch)
    assert outcome is not None
    assert outcome.decided_count == 1
    shop.flows.clock.advance(timedelta(seconds=1))
    return shop, hinted, batch


async def lane_row(shop: Shop) -> Any:
    (row,) = await read(
        shop.database,
        "SELECT * FROM reward_lane WHERE merchant_id = :merchant_id",
        merchant_id=shop.merchant_id,
    )
    return row


@pytest.mark.parametrize("batch_size", [1, 2, 3, 5, 200])
async def test_orders_and_referrals_are_decided_in_one_order_whatever_a_batch_holds(
    database: Database, batch_size: int
) -> None:
    """Who gets the last of a budget would depend on where a batch ended."""
    shop = await a_shop(
        flows_on(database, batch_size=batch_size),
        a_campaign("bought"),
        a_campaign("brought", trigger=Trigger.REFERRAL),
    )
    await shop.arrive("friend")
    expected: list[tuple[datetime, bool, str]] = []
    shop.flows.clock.now = NOON + 10 * MINUTE
    for number, minute in enumerate((0, 1, 1, 1, 2, 2, 4)):
        time = NOON + minute * MINUTE
        await shop.flows.arrival.record_past(
            Arrival(
                merchant_id=shop.merchant_id,
                client_id=f"visitor {number}",
                referrer_wallet="",
                referrer_client_id="friend",
                referrer_merchant_id=None,
                landing_url="",
                utm=Utm(),
            ),
            event_time=time,
            repeat=None,
        )
        expected.append((time, True, referral_reference(f"visitor {number}")))
    for number, minute in enumerate((0, 1, 1, 2, 3, 4, 4, 4)):
        time = NOON + minute * MINUTE
        await shop.buy("buyer", f"A-{number}", ordered=time)
        expected.append((time, False, f"purchase:A-{number}"))

    await shop.work()

    decided = await read(database, _SEQUENCE, merchant_id=shop.merchant_id)
    assert [each.event_reference for each in decided] == [name for *_, name in sorted(expected)]


async def test_a_round_takes_in_all_that_is_due_before_it_is_walked(database: Database) -> None:
    """An early order that is due late would be decided after later ones."""
    shop = await a_shop(database)
    async with database.transaction() as tx:
        for statement, count in ((_MANY_ORDERS, PROMOTED_MAX + 1), (_MANY_REFERRALS, PROMOTED_MAX)):
            await tx.execute(
                text(statement), {"merchant_id": shop.merchant_id, "now": NOON, "count": count}
            )
    shop.flows.clock.advance(timedelta(hours=2))

    await prepared(shop)

    (left,) = await read(database, _LEFT)
    assert left.number == 0


async def test_an_order_that_was_written_when_its_turn_came_is_decided_in_its_round(
    engine: AsyncEngine, real_database: Database
) -> None:
    """It would never be decided: no look finds what a round has taken in already."""
    shop = await a_shop(flows_on(real_database, batch_size=1), a_campaign())
    for order in ("A-1", "A-2"):
        await shop.buy("buyer", order)
    lane = await the_lane(shop)
    assert not (await shop.flows.reward.work(lane)).is_over

    lock = "SELECT 1 FROM shop_order WHERE order_reference = 'A-2' FOR UPDATE"
    async with holding(engine, lock):
        await shop.flows.reward.work(lane)
    assert await amounts_of(shop) == [("purchase:A-1", 1_000_000)]
    await shop.flows.reward.work(lane)

    assert [event for event, _ in await amounts_of(shop)] == ["purchase:A-1", "purchase:A-2"]


async def test_what_a_worker_decided_stays_decided_when_another_one_gives_up(
    database: Database,
) -> None:
    """An order that was paid would be open again for a moment, and become another person's."""
    shop = await a_shop(database, a_campaign())
    await shop.buy("buyer", "A-1")
    batch = await prepared(shop)
    # This worker decides and dies before it lets go of the order; that one had failed.
    assert await shop.flows.turns.decide(batch) is not None

    await shop.flows.setbacks.open_again(batch)

    person = (await shop.arrive("buyer")).identity_group_id
    await shop.claim("another", "A-1")
    assert (await order_of(shop, "A-1")).identity_group_id == person
    await shop.work()
    order = await order_of(shop, "A-1")
    assert (order.decided_generation, order.due_time, order.ready_round) == (1, None, None)


async def test_a_batch_that_failed_leaves_its_orders_open(database: Database) -> None:
    """While a lane rests, the buyer's proof would be refused."""
    shop = await a_shop(database, a_campaign())
    await shop.report("A-1", clientId="hinted")
    batch = await prepared(shop)
    assert (await order_of(shop, "A-1")).fixed_generation == 1

    await shop.flows.setbacks.open_again(batch)

    order = await order_of(shop, "A-1")
    assert (order.fixed_generation, order.due_time) == (0, NOON)
    assert (await shop.claim("buyer", "A-1")).purchase_id is not None


async def test_a_worker_who_was_overtaken_moves_nothing(database: Database) -> None:
    """A lane would go back, or pass over what nobody has decided."""
    shop = await a_shop(database, a_campaign())
    for order in ("A-1", "A-2", "A-3"):
        await shop.buy("buyer", order)
    turns = shop.flows.turns
    mine = await prepared(shop, limit=1)
    for _ in range(2):
        theirs = await prepared(shop, limit=1)
        outcome = await turns.decide(theirs)
        assert outcome is not None
        await turns.finish(theirs, outcome.let_go, is_complete=True)
    assert (await lane_row(shop)).order_reference == "A-2"

    late = await turns.decide(mine)
    assert late is not None
    assert (late.decided_count, late.let_go) == (0, [])
    await turns.finish(mine, late.let_go, is_complete=True)
    await shop.flows.setbacks.set_back(
        shop.merchant_id,
        next_sequence=mine.lane.next_sequence,
        obstacle=Obstacle.TIMED_OUT,
        size=mine.size,
    )

    row = await lane_row(shop)
    assert (row.order_reference, row.next_sequence, row.failure_count) == ("A-2", 3, 0)
    await shop.work()
    assert len(await amounts_of(shop)) == 3
    await assert_books_balance(database)


async def test_a_batch_that_is_incomplete_leaves_the_lane_where_it_was(database: Database) -> None:
    """What is left of it would be decided after everything that comes later."""
    shop = await a_shop(database, a_campaign())
    for order in ("A-1", "A-2"):
        await shop.buy("buyer", order)
    batch = await prepared(shop, limit=1)

    # Something was let go of, but not the rest.
    elsewhere = LetGo(order_reference="A-2", generation=1, is_decided=False)
    await shop.flows.turns.finish(batch, [elsewhere], is_complete=False)

    row = await lane_row(shop)
    assert (row.phase, row.order_reference) == ("walking", None)


async def test_what_died_before_its_order_was_let_go_of_stays_dead(database: Database) -> None:
    """A worker that is killed at that moment would bring it back to life."""
    shop = await a_shop(database, a_campaign())
    await shop.buy("buyer", "A-1")
    await prepared(shop)
    async with database.transaction() as tx:
        await tx.execute(text("UPDATE interaction SET state = 'dead'"))

    await shop.work()

    assert (await states_of(shop), await amounts_of(shop)) == ({"purchase:A-1": "dead"}, [])
    order = await order_of(shop, "A-1")
    assert (order.fixed_generation, order.due_time, order.ready_round) == (0, None, None)

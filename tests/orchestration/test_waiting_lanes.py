"""Which lanes are worked on, when, and what they say of themselves."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from domains.campaign.model import Recipient
from domains.rewards.model import InteractionState, Obstacle
from domains.rewards.model.lane import LOOK_BEHIND, SET_BACK_PAUSE
from infrastructure.database.engine import Limits, create_engine, database_of
from infrastructure.database.transaction import Database
from localmesh.postgres import Postgres
from tests.support.books import amounts_of, events_of, order_of, states_of
from tests.support.connections import holding
from tests.support.events import add_reversal
from tests.support.flows import NOON, flows_on
from tests.support.orders import add_order
from tests.support.rules import a_campaign, percent
from tests.support.shop import Shop, a_shop

HOUR = timedelta(hours=1)
LOOKS_MAX = 12
# A token with so many decimals that one order of this amount fits into a balance, and two do not.
DECIMALS = 58
ENORMOUS = "90000000000000000000"


async def waiting(shop: Shop, *, is_thorough: bool = True) -> list[tuple[datetime, bool]]:
    """When the shop's lane is due, and whether orders were taken back there."""
    lanes = await shop.flows.reward.list_waiting_lanes(is_thorough=is_thorough)
    return [
        (each.due_time, each.has_reversals)
        for each in lanes
        if each.merchant_id == shop.merchant_id
    ]


async def a_lane(shop: Shop, **columns: object) -> None:
    """The shop's lane stands so."""
    row = {"merchant_id": shop.merchant_id} | columns
    async with shop.database.transaction() as tx:
        await tx.execute(
            text(f"INSERT INTO reward_lane ({', '.join(row)}) VALUES (:{', :'.join(row)})"),
            row,
        )


async def an_order(shop: Shop, order: str = "A-1", **columns: object) -> None:
    async with shop.database.transaction() as tx:
        await add_order(tx, shop.merchant_id, order, **columns)


async def test_a_held_lane_is_not_looked_at(database: Database) -> None:
    """Workers would ask for a lane that an operator stopped, again and again."""
    shop = await a_shop(database)
    await an_order(shop)
    await a_lane(shop, held=True)

    assert await waiting(shop) == []


async def test_a_lane_that_was_set_back_is_due_when_its_rest_is_over(database: Database) -> None:
    """A lane that fails would be tried without a pause, and take the place of others."""
    shop = await a_shop(database)
    await an_order(shop)
    await a_lane(shop, failure_count=1, retry_time=NOON + HOUR)

    assert await waiting(shop) == [(NOON + HOUR, False)]


async def test_lanes_that_were_set_back_come_after_all_others(database: Database) -> None:
    """Lanes that fail would be begun first, and the places be taken before others come."""
    failing, healthy, new = [await a_shop(database) for _ in range(3)]
    for shop, due in ((failing, -HOUR), (healthy, HOUR), (new, timedelta())):
        await an_order(shop, due_time=NOON + due)
    await a_lane(failing, failure_count=1, retry_time=NOON - HOUR)
    await a_lane(healthy)

    lanes = await failing.flows.reward.list_waiting_lanes(is_thorough=True)

    # Among the others, a lane that does not exist yet is the first.
    assert [each.merchant_id for each in lanes] == [
        each.merchant_id for each in (new, healthy, failing)
    ]


async def test_a_round_that_was_begun_is_gone_on_with(database: Database) -> None:
    """What a worker that died had taken into a round would never be decided."""
    shop = await a_shop(database)
    await an_order(shop, ready_round=1)
    await a_lane(shop, phase="walking", round=1)

    (found,) = await waiting(shop)

    assert found[0] < NOON - 365 * 24 * HOUR


@pytest.mark.parametrize(
    ("due", "is_thorough", "is_seen"),
    [
        (-LOOK_BEHIND, False, True),
        (-LOOK_BEHIND - timedelta(microseconds=1), False, False),
        (-LOOK_BEHIND - timedelta(microseconds=1), True, True),
    ],
)
async def test_a_look_sees_what_is_due_from_a_little_behind_the_last_one(
    database: Database, due: timedelta, is_thorough: bool, is_seen: bool
) -> None:
    """What is written late would wait for ever, or each look cost as much as the first."""
    shop = await a_shop(database)
    await an_order(shop, due_time=NOON + due)
    await a_lane(shop, promoted_time=NOON)

    assert bool(await waiting(shop, is_thorough=is_thorough)) is is_seen


@pytest.mark.parametrize(
    ("columns", "is_due"),
    [
        ({}, True),
        ({"drain_time": NOON}, False),
        ({"retry_time": NOON}, True),
        ({"retry_time": NOON + HOUR}, False),
    ],
)
async def test_a_lane_with_something_to_take_back_is_due(
    database: Database, columns: dict[str, object], is_due: bool
) -> None:
    """A refund would wait until the next order, or one that rests be tried at once."""
    shop = await a_shop(database)
    async with database.transaction() as tx:
        await add_reversal(tx, shop.merchant_id, order="A-1", **columns)

    assert [has_reversals for _, has_reversals in await waiting(shop)] == [True] * is_due


async def test_a_lane_says_how_much_is_due_and_how_much_waits(database: Database) -> None:
    """An operator would take a lane that waits for one that hangs."""
    shop = await a_shop(database)
    for order, due in (("a", -HOUR), ("b", timedelta()), ("c", HOUR)):
        await an_order(shop, order, due_time=NOON + due)

    lane = await shop.flows.lane.get_lane(shop.merchant_id)

    assert (lane.due_count, lane.waiting_count, lane.dead_count) == (2, 1, 0)
    assert lane.oldest_due_time == NOON - HOUR


async def test_what_fails_for_all_costs_nobody_a_try(database: Database) -> None:
    """A token with too many decimals would kill every order of a shop."""
    shop = await a_shop(database, a_campaign(amount=percent("100")), decimals=DECIMALS)
    await shop.buy("buyer", "a", totalPrice=ENORMOUS)
    await shop.work()
    for order in ("b", "c", "d"):
        await shop.buy("buyer", order, totalPrice=ENORMOUS)

    await shop.look()

    tries = {each.event_reference: each.try_count for each in await events_of(shop)}
    assert set(tries.values()) == {0}
    lane = await shop.flows.lane.get_lane(shop.merchant_id)
    assert (lane.obstacle, lane.retry_time) == (Obstacle.DECIDING_FAILED, NOON + SET_BACK_PAUSE)


async def test_while_a_lane_rests_its_orders_are_open(database: Database) -> None:
    """A mistake in a campaign would have buyers' proof refused for as long as it lasts."""
    shop = await a_shop(database, a_campaign())
    await shop.report("A-1", clientId="hinted")
    async with database.transaction() as tx:
        await tx.execute(text("UPDATE campaign_rule_version SET rule = rule - 'rewards'"))

    await shop.look()

    lane = await shop.flows.lane.get_lane(shop.merchant_id)
    assert lane.obstacle is Obstacle.CAMPAIGNS_UNREADABLE
    assert (await order_of(shop, "A-1")).fixed_generation == 0
    assert (await shop.claim("buyer", "A-1")).purchase_id is not None


async def test_one_that_takes_too_long_steps_aside_for_those_behind_it(
    engine: AsyncEngine, real_database: Database, postgres: Postgres
) -> None:
    """One buyer's account that is held would stop a merchant's rewards for as long."""
    shop = await a_shop(real_database, a_campaign(to=Recipient.USER))
    await shop.buy("slow", "A-0")
    await shop.work()
    for number in range(1, 4):
        await shop.buy("slow" if number == 1 else "buyer", f"A-{number}")
    person = (await order_of(shop, "A-0")).identity_group_id
    hasty = create_engine(
        postgres.url,
        pool_size=2,
        application_name="hasty",
        limits=Limits(statement=timedelta(milliseconds=300)),
    )
    clock = shop.flows.clock
    slow = shop.on(flows_on(database_of(hasty), clock=clock, batch_size=4))
    lock = "SELECT 1 FROM account WHERE owner = :person FOR UPDATE"
    try:
        async with holding(engine, lock, person=person) as holder:
            for _ in range(LOOKS_MAX):
                await slow.look()
                clock.advance(timedelta(seconds=20))
                # Whoever is idle for long loses what they hold.
                await holder.connection.execute(text("SELECT 1"))
                if len(await amounts_of(shop)) == 3:
                    break
    finally:
        await hasty.dispose()

    states = await states_of(shop)
    assert states.pop("purchase:A-1") is InteractionState.PENDING
    assert set(states.values()) == {InteractionState.DECIDED}
    await shop.work()
    clock.advance(HOUR)
    await shop.work()
    assert len(await amounts_of(shop)) == 4

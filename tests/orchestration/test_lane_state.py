"""What a lane says of itself, and which interactions are listed, however many there are."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from sqlalchemy import text

from domains.rewards.model import InteractionState, InteractionView, Lane
from infrastructure.database.transaction import Database
from orchestration.queries.lanes import get_lane
from tests.support.flows import NOON, RATE_AGE_MAX
from tests.support.orders import add_order
from tests.support.shop import Shop, a_shop
from vocabulary.recording import IdRange

HOUR = timedelta(hours=1)
_REFERRAL = """
    INSERT INTO interaction (interaction_id, merchant_id, kind, identity_group_id,
        referral_link_id, event_time, referral_reference, due_time, ready_round)
    VALUES (gen_random_uuid(), :merchant_id, 'referral', gen_random_uuid(), gen_random_uuid(),
            :due_time, 'referral', :due_time, :ready_round)
"""
_INTERACTION = """
    INSERT INTO interaction (interaction_id, merchant_id, kind, order_reference, generation,
        due_time, state, decide_time)
    VALUES (:interaction_id, :merchant_id, 'purchase', :order, 1, :due_time, CAST(:state AS text),
            CASE WHEN CAST(:state AS text) = 'decided' THEN CAST(:due_time AS timestamptz) END)
"""
_REVERSAL = """
    INSERT INTO reversal (reversal_id, merchant_id, order_reference, generation, create_time,
        drain_time, sequence)
    VALUES (gen_random_uuid(), :merchant_id, :order, 1, :time, :drain_time, 1)
"""


async def write(shop: Shop, statement: str, **parameters: object) -> None:
    async with shop.database.transaction() as tx:
        await tx.execute(text(statement), {"merchant_id": shop.merchant_id, **parameters})


async def an_order(shop: Shop, order: str, **columns: object) -> None:
    async with shop.database.transaction() as tx:
        await add_order(tx, shop.merchant_id, order, **columns)


async def an_interaction(shop: Shop, number: int, state: InteractionState) -> None:
    await an_order(shop, f"A-{number}", due_time=None)
    await write(
        shop,
        _INTERACTION,
        interaction_id=UUID(int=number),
        order=f"A-{number}",
        due_time=NOON,
        state=state,
    )


async def lane_of(shop: Shop, *, counted_max: int) -> Lane:
    async with shop.database.single() as tx:
        return await get_lane(
            tx, shop.merchant_id, now=NOON, rate_age_max=RATE_AGE_MAX, counted_max=counted_max
        )


async def everything_waits(shop: Shop) -> None:
    """Five that are due, two that will be, two that are dead, two that were taken back."""
    await an_order(shop, "due", due_time=NOON - 2 * HOUR)
    await an_order(shop, "also due", due_time=NOON)
    await an_order(shop, "ready", due_time=NOON - 3 * HOUR, ready_round=1)
    await an_order(shop, "later", due_time=NOON + HOUR)
    await an_order(shop, "decided", due_time=None)
    for due_time, ready_round in (
        (NOON - HOUR, None),
        (NOON - 4 * HOUR, 1),
        (NOON + HOUR, None),
    ):
        await write(shop, _REFERRAL, due_time=due_time, ready_round=ready_round)
    for number, state in enumerate(("dead", "dead", "decided", "cancelled"), start=1):
        await an_interaction(shop, number, InteractionState(state))
    for number, drain_time in ((1, None), (2, None), (3, NOON)):
        await write(shop, _REVERSAL, order=f"A-{number}", time=NOON, drain_time=drain_time)


async def test_a_lane_counts_everything_that_waits_in_it(database: Database) -> None:
    """An operator would take a lane for empty in which referrals or a round are left."""
    shop, other = await a_shop(database), await a_shop(database)
    await everything_waits(shop)

    lane = await lane_of(shop, counted_max=100)

    assert (lane.due_count, lane.waiting_count, lane.dead_count) == (7, 2, 2)
    assert lane.oldest_due_time == NOON - 4 * HOUR
    quiet = await lane_of(other, counted_max=100)
    assert (quiet.due_count, quiet.waiting_count, quiet.dead_count) == (0, 0, 0)
    assert quiet.oldest_due_time is None


async def test_a_lane_is_counted_up_to_a_limit(database: Database) -> None:
    """Whoever holds the lane of a large shop would time out, and could not hold it at all."""
    shop = await a_shop(database)
    await everything_waits(shop)
    for order in ("a", "b"):
        await an_order(shop, order, due_time=NOON + HOUR, needed_rate="USD/EUR")

    lane = await lane_of(shop, counted_max=1)

    assert (lane.due_count, lane.waiting_count, lane.dead_count) == (1, 1, 1)
    assert lane.oldest_due_time == NOON - 4 * HOUR
    assert [each.interaction_count for each in lane.needed_rates] == [1]


async def test_a_lane_tells_of_every_rate_that_it_needs(database: Database) -> None:
    """Somebody would enter one rate and wonder why orders still wait."""
    shop, other = await a_shop(database), await a_shop(database)
    waiting = {"GBP/EUR": (2,), "JPY/EUR": (0, 1), "USD/EUR": (5, 3, 4)}
    for pair, hours in waiting.items():
        for hour in hours:
            await an_order(
                shop,
                f"{pair} {hour}",
                order_time=NOON - hour * HOUR,
                due_time=NOON + HOUR,
                needed_rate=pair,
            )
    await an_order(other, "francs", due_time=NOON + HOUR, needed_rate="CHF/EUR")
    await an_order(other, "more", due_time=NOON + HOUR, needed_rate="USD/EUR")

    lane = await lane_of(shop, counted_max=100)

    assert [
        (each.pair, each.interaction_count, each.first_time, each.last_time)
        for each in lane.needed_rates
    ] == [
        (
            pair,
            len(hours),
            NOON - max(hours) * HOUR - RATE_AGE_MAX,
            NOON - min(hours) * HOUR,
        )
        for pair, hours in waiting.items()
    ]
    (francs, _) = (await lane_of(other, counted_max=100)).needed_rates
    assert (francs.pair, francs.interaction_count) == ("CHF/EUR", 1)


async def test_interactions_are_listed_by_state_and_all_together(database: Database) -> None:
    """A page would lack some, or hold one twice, where the states meet."""
    shop, other = await a_shop(database), await a_shop(database)
    states = [*InteractionState, *reversed(InteractionState), *InteractionState]
    for number, state in enumerate(states, start=1):
        await an_interaction(shop, number, state)
    await an_interaction(other, 100, InteractionState.PENDING)

    async def pages(state: InteractionState | None) -> list[int]:
        found: list[int] = []
        while page := await _page(
            shop, state, IdRange(end=UUID(int=found[-1])) if found else IdRange()
        ):
            assert len(page) <= 2
            found += [each.interaction.interaction_id.int for each in page]
        return found

    assert await pages(None) == list(range(len(states), 0, -1))
    for state in InteractionState:
        wanted = [number for number, each in enumerate(states, start=1) if each is state]
        assert await pages(state) == wanted[::-1]


async def _page(
    shop: Shop, state: InteractionState | None, within: IdRange
) -> Sequence[InteractionView]:
    return await shop.flows.reward_reading.list_interactions(
        shop.merchant_id, state=state, within=within, limit=2
    )

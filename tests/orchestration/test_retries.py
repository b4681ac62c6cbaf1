"""Dead interactions: listed with their reason, and decided again on demand."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest

from domains.rewards.errors import InteractionNotDeadError, InteractionNotFoundError
from domains.rewards.model import InteractionState, Obstacle
from domains.rewards.model.event import TRIES_MAX
from infrastructure.database.transaction import Database
from tests.support.books import amounts_of, assert_books_balance, events_of, states_of
from tests.support.rules import a_campaign, percent
from tests.support.shop import Shop, a_shop
from vocabulary.ids import InteractionId

# A token with so many decimals that one order of this amount fits into a balance, and two do not.
DECIMALS = 58
ENORMOUS = "90000000000000000000"


async def a_shop_with_dead_ones(database: Database, *orders: str) -> Shop:
    """Orders that were each too much beside the first one, and died of it."""
    shop = await a_shop(database, a_campaign(amount=percent("100")), decimals=DECIMALS)
    await shop.buy("buyer", "first", totalPrice=ENORMOUS)
    await shop.work()
    for order in orders:
        await shop.buy("buyer", order, totalPrice=ENORMOUS)
    for number in range(TRIES_MAX):
        # Something else that succeeds, each time.
        await shop.buy("somebody", f"small {number}", totalPrice="1")
        await shop.work()
        shop.flows.clock.now = max(each.due_time for each in await events_of(shop))
    return shop


async def interaction_of(shop: Shop, order: str) -> InteractionId:
    (found,) = [e for e in await events_of(shop) if e.event_reference == f"purchase:{order}"]
    return InteractionId(found.interaction_id)


async def state_of(shop: Shop, order: str) -> InteractionState:
    return (await states_of(shop))[f"purchase:{order}"]


@pytest.mark.parametrize("one", [True, False])
async def test_a_dead_one_is_decided_once_what_it_died_of_is_mended(
    database: Database, one: bool
) -> None:
    """Nothing would bring back an order's rewards, whatever an operator does."""
    shop = await a_shop_with_dead_ones(database, "dead")
    lane = await shop.flows.lane.get_lane(shop.merchant_id)
    assert (lane.dead_count, await state_of(shop, "dead")) == (1, InteractionState.DEAD)
    await shop.report("first", "refunded", totalPrice=ENORMOUS)
    await shop.work()

    interaction_id = await interaction_of(shop, "dead") if one else None
    count = await shop.flows.lane.retry_dead(shop.merchant_id, interaction_id, repeat=None)

    assert count == 1
    (waiting,) = [each for each in await events_of(shop) if each.state == "pending"]
    assert (waiting.try_count, waiting.obstacle) == (0, Obstacle.DECIDING_FAILED)
    await shop.work()
    assert await state_of(shop, "dead") is InteractionState.DECIDED
    assert ("purchase:dead", int(ENORMOUS) * 10**DECIMALS) in await amounts_of(shop)
    lane = await shop.flows.lane.get_lane(shop.merchant_id)
    assert lane.dead_count == 0
    await assert_books_balance(database)


async def test_one_that_still_fails_has_as_many_tries_as_before(database: Database) -> None:
    """Trying again too early would leave a single try, or none that ever ends."""
    shop = await a_shop_with_dead_ones(database, "dead", "also dead")
    assert await shop.flows.lane.retry_dead(shop.merchant_id, None, repeat=None) == 2

    tries = 0
    while await state_of(shop, "dead") is InteractionState.PENDING:
        await shop.buy("somebody", f"after {tries}", totalPrice="1")
        await shop.work()
        tries += 1
        shop.flows.clock.now = max(each.due_time for each in await events_of(shop))

    assert tries == TRIES_MAX
    assert await state_of(shop, "also dead") is InteractionState.DEAD


async def test_what_is_not_dead_is_not_tried_again(database: Database) -> None:
    """What is decided would be decided twice."""
    shop = await a_shop_with_dead_ones(database, "dead")
    elsewhere = await a_shop(shop.flows, a_campaign())
    dead = await interaction_of(shop, "dead")

    async def retry(where: Shop, interaction_id: InteractionId | None) -> int:
        return await where.flows.lane.retry_dead(where.merchant_id, interaction_id, repeat=None)

    with pytest.raises(InteractionNotDeadError):
        await retry(shop, await interaction_of(shop, "first"))
    with pytest.raises(InteractionNotFoundError):
        await retry(shop, InteractionId(uuid4()))
    # Another merchant's is none of ours.
    with pytest.raises(InteractionNotFoundError):
        await retry(elsewhere, dead)
    assert await retry(elsewhere, None) == 0
    assert await retry(shop, dead) == 1
    with pytest.raises(InteractionNotDeadError):
        await retry(shop, dead)


async def test_a_refunded_order_is_not_brought_back(database: Database) -> None:
    """A returned order would be paid, because somebody tried again what had died."""
    shop = await a_shop_with_dead_ones(database, "dead")
    await shop.report("dead", "refunded", totalPrice=ENORMOUS)
    assert await shop.flows.lane.retry_dead(shop.merchant_id, None, repeat=None) <= 1
    shop.flows.clock.advance(timedelta(hours=2))
    await shop.work()

    assert await state_of(shop, "dead") is InteractionState.CANCELLED
    assert "purchase:dead" not in dict(await amounts_of(shop))
    await assert_books_balance(database)

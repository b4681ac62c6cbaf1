"""What an order keeps of claims and reports, and when it is due."""

from __future__ import annotations

from datetime import timedelta

import pytest

from domains.purchases.model import Link
from domains.purchases.model.evidence import TOKENS_MAX
from infrastructure.database.transaction import Database
from orchestration.purchase_linking.flow import Claim
from tests.support.books import count_of, deliveries_of, order_of
from tests.support.flows import NOON
from tests.support.rules import a_campaign
from tests.support.shop import Shop, a_shop, token_of
from vocabulary.ids import IdentityGroupId

HOUR = timedelta(hours=1)
GRACE = timedelta(minutes=1)


async def claim_past(shop: Shop, client: str, order: str, *, minutes_ago: int) -> IdentityGroupId:
    """A claim of the past, which is told now."""
    claimed = await shop.flows.purchase_linking.claim_past(
        Claim(
            merchant_id=shop.merchant_id,
            client_id=client,
            order_reference=order,
            token=token_of(order),
        ),
        event_time=shop.flows.clock.now - timedelta(minutes=minutes_ago),
        repeat=None,
    )
    return claimed.identity_group_id


@pytest.mark.parametrize("by_claim", [True, False])
async def test_an_order_whose_buyer_is_known_late_is_due_now(
    database: Database, by_claim: bool
) -> None:
    """A look that begins where the last one ended would pass it over."""
    shop = await a_shop(database, a_campaign(), reward_delay=GRACE)
    await shop.report("A-1")
    shop.flows.clock.advance(HOUR)

    if by_claim:
        await shop.claim("buyer", "A-1")
    else:
        await shop.report("A-1", ordered=NOON, updated=NOON, clientId="buyer")

    order = await order_of(shop, "A-1")
    assert (order.due_time, order.order_time) == (NOON + HOUR, NOON)


@pytest.mark.parametrize("way", ["claim", "first report", "second report"])
async def test_a_buyer_who_is_known_at_once_has_the_grace_from_the_report_on(
    database: Database, way: str
) -> None:
    """Rewards would be decided early, or an hour late because the shop's clock is ahead."""
    shop = await a_shop(database, a_campaign(), reward_delay=GRACE)
    for order, updated in (("early", NOON - GRACE / 3), ("ahead", NOON + HOUR)):
        if way == "first report":
            await shop.report(order, updated=updated, clientId="buyer")
            continue
        await shop.report(order, updated=updated)
        if way == "claim":
            await shop.claim("buyer", order)
        else:
            # As new as the other one, and something else.
            await shop.report(order, updated=updated, clientId="buyer")

    assert (await order_of(shop, "early")).due_time == NOON + GRACE * 2 / 3
    assert (await order_of(shop, "ahead")).due_time == NOON + GRACE


@pytest.mark.parametrize("decided", [True, False])
async def test_a_report_that_says_nothing_new_does_not_begin_the_grace_anew(
    database: Database, decided: bool
) -> None:
    """A shop that reports an order again and again would never have it decided, or twice."""
    shop = await a_shop(database, a_campaign(), reward_delay=GRACE)
    await shop.report("A-1", clientId="buyer")
    if decided:
        shop.flows.clock.advance(GRACE)
        await shop.work()

    shop.flows.clock.advance(GRACE / 2)
    await shop.report("A-1", ordered=NOON, clientId="buyer")

    assert (await order_of(shop, "A-1")).due_time == (None if decided else NOON + GRACE)


async def test_of_claims_that_wait_the_earliest_wins_however_often_they_are_told(
    database: Database,
) -> None:
    """A browser that repeats its claim would lose the order to one that came after it."""
    shop = await a_shop(database)
    first = await claim_past(shop, "first", "A-1", minutes_ago=30)
    await claim_past(shop, "second", "A-1", minutes_ago=20)
    await claim_past(shop, "first", "A-1", minutes_ago=10)

    await shop.report("A-1")

    order = await order_of(shop, "A-1")
    assert (order.identity_group_id, order.claim_time) == (first, NOON - timedelta(minutes=30))


async def test_a_claim_with_another_token_waits_although_somebody_has_proof(
    database: Database,
) -> None:
    """A shop that changes an order's token would disown its buyer."""
    shop = await a_shop(database)
    await shop.report("A-1")
    shop.flows.clock.advance(timedelta(minutes=1))
    early = (await shop.claim("early", "A-1", token="second")).identity_group_id
    shop.flows.clock.advance(timedelta(minutes=1))
    await shop.claim("late", "A-1")
    assert (await order_of(shop, "A-1")).identity_group_id != early

    await shop.report("A-1", ordered=NOON, token="second")

    assert (await order_of(shop, "A-1")).identity_group_id == early


async def test_tokens_count_within_bounds(database: Database) -> None:
    """A shop that sends a fresh token each time would fill the order's row without end."""
    shop = await a_shop(database)
    for number in range(1, TOKENS_MAX + 2):
        await shop.report("A-1", ordered=NOON, token=f"token {number}")

    beyond = await shop.claim("beyond", "A-1", token=f"token {TOKENS_MAX + 1}")
    last = await shop.claim("last", "A-1", token=f"token {TOKENS_MAX}")

    assert (beyond.purchase_id is None, last.purchase_id is None) == (True, False)
    assert len((await order_of(shop, "A-1")).token_digests) == TOKENS_MAX


async def test_a_guess_makes_nobody_the_customer(database: Database) -> None:
    """A customer whose order is guessed would be tied to a person on no evidence at all."""
    shop = await a_shop(database)
    await shop.report("A-1", customerId="c-1", clientId="known")
    await shop.report("A-2", customerId="c-1")
    # The shop gives the account another id, and names it in a later report.
    await shop.report("A-2", ordered=NOON, updated=NOON + timedelta(seconds=1), customerId="c-2")
    assert (await order_of(shop, "A-2")).link == Link.CUSTOMER

    await shop.report("A-3", customerId="c-2")

    assert (await order_of(shop, "A-3")).identity_group_id is None


async def test_whoever_proves_it_later_is_the_customer(database: Database) -> None:
    """An account whose first orders came without a browser would never be known."""
    shop = await a_shop(database)
    await shop.report("A-1", customerId="c-1")
    buyer = (await shop.claim("buyer", "A-1")).identity_group_id

    await shop.report("A-2", customerId="c-1")

    order = await order_of(shop, "A-2")
    assert (order.identity_group_id, order.link) == (buyer, Link.CUSTOMER)


async def test_an_order_dated_anew_leaves_its_round(database: Database) -> None:
    """It would be decided at its old place, after orders that came later."""
    shop = await a_shop(database, a_campaign())
    for order in ("A-1", "A-2"):
        await shop.report(order, clientId="buyer")
    await shop.flows.turns.make(shop.merchant_id)
    (lane,) = await shop.flows.reward.list_waiting_lanes(is_thorough=True)
    await shop.flows.turns.prepare(lane, limit=1)
    assert (await order_of(shop, "A-2")).ready_round == 1

    shop.flows.clock.advance(timedelta(seconds=1))
    await shop.report("A-2", ordered=NOON - HOUR, clientId="buyer")

    order = await order_of(shop, "A-2")
    assert (order.ready_round, order.due_time) == (None, shop.flows.clock.now)
    assert order.order_time == NOON - HOUR


async def test_a_refund_of_what_never_earned_leaves_nothing_to_take_back(
    database: Database,
) -> None:
    """A lane would be woken for nothing at every refund of a guest's order."""
    shop = await a_shop(database, a_campaign())
    await shop.report("A-1")

    await shop.report("A-1", "refunded", ordered=NOON, updated=NOON + HOUR)

    assert await count_of(shop, "reversal") == 0


async def test_a_claim_of_this_moment_is_none_of_the_future(database: Database) -> None:
    """A shop that hands on its buyers' claims at once would be refused."""
    shop = await a_shop(database)
    await shop.report("A-1")

    buyer = await claim_past(shop, "buyer", "A-1", minutes_ago=0)

    assert (await order_of(shop, "A-1")).identity_group_id == buyer


@pytest.mark.parametrize("token", [token_of("A-1"), "another"])
async def test_a_claim_of_an_order_that_earns_already_makes_it_due_no_sooner(
    database: Database, token: str
) -> None:
    """Strangers would choose how often a shop's orders are gone through."""
    shop = await a_shop(database, a_campaign(), reward_delay=HOUR)
    await shop.report("A-1", clientId="buyer")
    due_time = (await order_of(shop, "A-1")).due_time
    assert due_time == NOON + HOUR
    shop.flows.clock.advance(2 * HOUR)
    await shop.claim("stranger", "A-1", token=token)
    assert (await order_of(shop, "A-1")).due_time == due_time
    await shop.work()
    await shop.claim("stranger", "A-1", token=token)

    assert (await order_of(shop, "A-1")).due_time is None


async def test_an_older_report_that_says_who_bought_is_applied(database: Database) -> None:
    """A shop would be told that what it said counts for nothing, although it does."""
    shop = await a_shop(database, a_campaign())
    shop.flows.clock.advance(HOUR)
    await shop.report("A-1", updated=NOON + GRACE, ordered=NOON, event_id="newer")
    await shop.report("A-1", updated=NOON, ordered=NOON, event_id="older", clientId="hinted")
    await shop.report("A-1", updated=NOON, ordered=NOON, event_id="last")

    states = {each.event_reference: each.state for each in await deliveries_of(shop)}
    assert states == {"newer": "applied", "older": "applied", "last": "ignored"}
    assert (await order_of(shop, "A-1")).link == Link.CLIENT


@pytest.mark.parametrize(("worker_comes_by", "state"), [(False, "applied"), (True, "ignored")])
async def test_an_older_report_that_dates_the_order_is_applied_until_it_is_decided(
    database: Database, *, worker_comes_by: bool, state: str
) -> None:
    """A shop would be told that a time counts for nothing, although it does, or the reverse."""
    shop = await a_shop(database, a_campaign())
    shop.flows.clock.advance(HOUR)
    await shop.report("A-1", updated=NOON + GRACE, ordered=NOON, clientId="buyer")
    if worker_comes_by:
        await shop.work()

    await shop.report("A-1", updated=NOON, ordered=NOON - HOUR, event_id="older")

    (older,) = [each for each in await deliveries_of(shop) if each.event_reference == "older"]
    assert older.state == state

"""Budgets under pressure: what many take at once is never more than the limit."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from functools import partial
from uuid import uuid4

import pytest

from domains.campaign.model import (
    Asset,
    CalendarMonths,
    Decision,
    EventFacts,
    Operator,
    Outcome,
    Recipient,
    RewardDefinition,
    Tiles,
    Trigger,
    WindowKey,
    decide,
)
from domains.campaign.model.deciding import begin_of
from domains.campaign.service import Consumption
from domains.rewards.repository import LaneRepository
from infrastructure.database.transaction import Database
from tests.orchestration.test_lane_rounds import prepared
from tests.support.books import amounts_of, assert_books_balance, explain, windows_of
from tests.support.connections import at_once
from tests.support.flows import NOON, flows_on
from tests.support.rules import Limit, a_campaign, a_condition, fixed, percent
from tests.support.shop import Shop, a_shop
from vocabulary.amounts import BASE_UNITS_MAX
from vocabulary.ids import IdentityGroupId, RewardId

TAKERS = 50
ONE = 1_000_000
A_MONTH = CalendarMonths(time_zone="UTC")
TEN_DAYS = Tiles(duration=timedelta(days=10))


async def take_one(shop: Shop) -> Decision:
    """One event of its own, decided and charged in a transaction of its own."""
    facts = EventFacts(
        triggers=frozenset({Trigger.PURCHASE}),
        event_time=NOON,
        person=IdentityGroupId(uuid4()),
        chain=(),
        purchase=None,
        context={},
        rates={},
    )
    campaigns = shop.flows.campaigns
    async with shop.database.transaction() as tx:
        # Whoever charges a merchant's windows holds the merchant's lane.
        await LaneRepository().ensure(tx, shop.merchant_id)
        await LaneRepository().wait_for(tx, shop.merchant_id)
        (campaign,) = await campaigns.list_paying(tx, shop.merchant_id, first_time=NOON)
        windows = {}
        for item in campaign.budget:
            start, end = item.window_at(NOON, origin=begin_of(campaign))
            windows[WindowKey(item.budget_item_id, start)] = end
        decision, _ = decide(campaign, facts, await campaigns.lock_windows(tx, windows))
        reward_id = RewardId(uuid4())
        await campaigns.charge(
            tx,
            charges=decision.charges,
            refusals=[decision.refused] if decision.refused else [],
            consumptions=[
                Consumption(reward_id=reward_id, key=charge.key, base_units=charge.base_units)
                for charge in decision.charges
            ],
            ends=windows,
        )
    return decision


@pytest.mark.parametrize(
    "limits",
    [
        (Limit(amount="20"),),
        (Limit(amount="20", window=A_MONTH), Limit(amount="90", label="other")),
        (Limit(amount="90"), Limit(amount="20", label="other", window=TEN_DAYS)),
    ],
    ids=["in all", "a month", "ten days"],
)
async def test_fifty_at_once_take_exactly_the_limit(
    real_database: Database, limits: tuple[Limit, ...]
) -> None:
    """Two that read the same rest would both spend it."""
    shop = await a_shop(real_database, a_campaign(limits=limits))

    decisions = await at_once(*[partial(take_one, shop)] * TAKERS)

    outcomes = [decision.outcome for decision in decisions]
    assert outcomes.count(Outcome.GRANTED) == 20
    assert outcomes.count(Outcome.BUDGET_REFUSED) == 30
    windows = await windows_of(shop, "welcome")
    assert [window.used for window in windows] == [20 * ONE] * len(limits)
    assert sum(window.refused_count for window in windows) == 30
    assert sum(window.refused for window in windows) == 30 * ONE


async def test_fifty_orders_at_once_earn_exactly_the_limit(real_database: Database) -> None:
    """Shops would pay for more orders than they agreed to when many come at once."""
    processes = [flows_on(real_database, batch_size=7) for _ in range(3)]
    shop = await a_shop(processes[0], a_campaign(limits=(Limit(amount="20", label="march"),)))
    orders = [f"A-{number:02}" for number in range(TAKERS)]
    await at_once(*(partial(shop.buy, f"buyer of {order}", order) for order in orders))

    await at_once(*(shop.on(process).work for process in processes))

    # At one time, the order's own id decides who is first.
    assert await amounts_of(shop) == [(f"purchase:{order}", ONE) for order in orders[:20]]
    (window,) = await windows_of(shop, "welcome")
    assert (window.used, window.refused_count) == (20 * ONE, 30)
    (decision,) = (await explain(shop, f"purchase:{orders[20]}")).decisions
    assert decision.outcome.value == Outcome.BUDGET_REFUSED.value
    assert decision.details["refused"] == {
        "label": "march",
        "wanted": "1000000",
        "used": "20000000",
        "limit": "20000000",
        "window_start": window.start_time.isoformat(),
    }
    await assert_books_balance(real_database)


async def test_orders_of_a_batch_have_what_those_before_them_left(database: Database) -> None:
    """Each batch in which a budget ends would fail, and be decided order by order."""
    shop = await a_shop(database, a_campaign(limits=(Limit(amount="1"),)))
    for order in ("A-1", "A-2", "A-3"):
        await shop.buy("buyer", order)
    batch = await prepared(shop)

    outcome = await shop.flows.turns.decide(batch)

    assert outcome is not None
    assert (outcome.decided_count, outcome.reward_count) == (3, 1)


async def test_a_budget_that_nothing_is_charged_to_has_no_windows(database: Database) -> None:
    """A shop's tables would grow by windows for every order that earns nothing."""
    small = a_condition("purchase.amount", Operator.LT, Decimal(1))
    limits = (Limit(amount="20", window=A_MONTH), Limit(amount="9", label="b", window=TEN_DAYS))
    shop = await a_shop(
        database,
        a_campaign("never", when=small, limits=limits),
        a_campaign("brought", trigger=Trigger.REFERRAL_PURCHASE, limits=limits),
        a_campaign("paid", limits=(Limit(amount="20", window=A_MONTH),)),
    )
    for number in range(10):
        await shop.buy("buyer", f"A-{number}", ordered=NOON - timedelta(days=number))

    await shop.work()

    assert await windows_of(shop, "never") == await windows_of(shop, "brought") == []
    assert [window.used for window in await windows_of(shop, "paid")] == [9 * ONE, ONE]


async def test_refusals_beyond_every_number_stop_nobody(database: Database) -> None:
    """One campaign's refused sum would outgrow its column, and every other reward would be lost."""
    shop = await a_shop(
        database,
        a_campaign("refused", amount=percent("100"), limits=(Limit(amount="1"),)),
        a_campaign("paid"),
        decimals=58,
    )
    for number in range(3):
        await shop.buy("buyer", f"A-{number}", totalPrice="90000000000000000000")

    await shop.work()

    assert [units for _, units in await amounts_of(shop)] == [10**58] * 3
    (window,) = await windows_of(shop, "refused")
    assert (window.used, window.refused_count, window.refused) == (0, 3, BASE_UNITS_MAX)
    await assert_books_balance(database)


async def test_each_unit_is_charged_to_its_own_items(database: Database) -> None:
    """Points would use up the budget of the token, or be given back to it."""
    plan = a_campaign(
        limits=(Limit(amount="20"), Limit(amount="90", label="points", asset=Asset.POINTS))
    )
    points = RewardDefinition(
        recipient=Recipient.USER, asset=Asset.POINTS, amount=fixed("7"), chaining=None
    )
    plan = replace(plan, rule=replace(plan.rule, rewards=(*plan.rule.rewards, points)))
    shop = await a_shop(database, plan)
    await shop.buy("buyer", "A-1")

    await shop.work()

    windows = await windows_of(shop, "welcome")
    assert {each.item.asset: each.used for each in windows} == {
        Asset.TOKEN: ONE,
        Asset.POINTS: 7 * ONE,
    }
    await assert_books_balance(database)
    await shop.report("A-1", "refunded")
    await shop.work()
    assert await windows_of(shop, "welcome") == []
    await assert_books_balance(database)

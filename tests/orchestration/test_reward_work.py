"""What reward work makes of events: amounts, decisions, budgets."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from domains.campaign.model import (
    Asset,
    CalendarMonths,
    Campaign,
    Operator,
    PercentOf,
    Recipient,
    Tiles,
    Trigger,
)
from domains.rewards.model import InteractionState, Outcome
from infrastructure.database.transaction import Database
from tests.support.books import (
    amounts_of,
    assert_books_balance,
    explain,
    order_of,
    rewards_of,
    states_of,
    used_of,
    windows_of,
)
from tests.support.flows import NOON
from tests.support.rules import (
    Limit,
    a_campaign,
    a_condition,
    chained,
    fixed,
    percent,
)
from tests.support.shop import a_shop

MONTH_END = datetime(2025, 3, 31, 23, 59, 59, tzinfo=UTC)


async def test_a_buyer_and_three_above_get_their_shares_to_the_base_unit(
    database: Database,
) -> None:
    """A chain would be paid a base unit too much, too little, or to the wrong person."""
    shop = await a_shop(
        database,
        a_campaign(
            amount=percent("3"),
            to=Recipient.REFERRER,
            trigger=Trigger.REFERRAL_PURCHASE,
            chaining=chained("7", "33"),
        ),
    )
    top = (await shop.arrive("top")).identity_group_id
    middle = (await shop.arrive("middle", referrer="top")).identity_group_id
    direct = (await shop.arrive("direct", referrer="middle")).identity_group_id
    buyer = (await shop.arrive("buyer", referrer="direct")).identity_group_id
    await shop.buy("buyer", "A-1", totalPrice="10.01")

    await shop.work()

    # 3 % of 10.01 is 0.3003. The buyer gets 7 % of it, each level 33 % of what is left, all
    # rounded down; the last one gets the rest.
    assert [(each.depth, each.person, each.base_units) for each in await rewards_of(shop)] == [
        (0, buyer, 21_021),
        (1, direct, 92_162),
        (2, middle, 61_748),
        (3, top, 125_369),
    ]
    await assert_books_balance(database)


async def test_a_part_of_an_order_is_rounded_down_once(database: Database) -> None:
    """Merchants would pay fractions that nobody promised, order by order."""
    shop = await a_shop(database, a_campaign(amount=percent("3.3333")))
    await shop.buy("buyer", "A-1", totalPrice="33.33")
    await shop.buy("buyer", "A-2", totalPrice="0.00003")

    await shop.work()

    # 1.11098889, and less than the smallest unit.
    assert await amounts_of(shop) == [("purchase:A-1", 1_110_988)]
    (decision,) = (await explain(shop, "purchase:A-2")).decisions
    assert decision.outcome is Outcome.NOTHING_TO_PAY
    assert decision.details["errors"] == ["rewards[0]: the amount is less than the smallest unit"]


async def test_exact_thirds_of_a_cent_survive(database: Database) -> None:
    """Three articles for 0.1 would cost 0.30000000000000004, and earn a base unit more."""
    shop = await a_shop(
        database,
        a_campaign(
            amount=percent("100", PercentOf.PURCHASE_SUBTOTAL),
            when=a_condition("purchase.subtotal", Operator.EQ, Decimal("0.3")),
        ),
    )
    lines = [{"productId": "sku", "quantity": 3, "price": 0.1, "name": "n", "title": "t"}]
    await shop.buy("buyer", "A-1", totalPrice=0.3, items=lines)

    await shop.work()

    assert await amounts_of(shop) == [("purchase:A-1", 300_000)]
    assert (await order_of(shop, "A-1")).total == Decimal("0.3")
    facts = (await explain(shop, "purchase:A-1")).decisions[0].details
    assert "rates" not in facts


async def test_every_decision_is_kept_with_its_reason(database: Database) -> None:
    """Nobody could tell a merchant why an order earned nothing."""
    shop = await a_shop(
        database,
        a_campaign("pays"),
        a_campaign(
            "asks for more", when=a_condition("purchase.amount", Operator.GTE, Decimal(200))
        ),
        a_campaign("is poor", amount=fixed("5"), limits=(Limit(amount="4.5", label="march"),)),
        a_campaign("is over", expire_time=NOON),
        a_campaign("is not yet", start_time=NOON + timedelta(days=1)),
        a_campaign("is for referrers", to=Recipient.REFERRER),
        a_campaign("is for referrals", trigger=Trigger.REFERRAL),
    )
    await shop.buy("buyer", "A-1")
    await shop.work()

    explanation = await explain(shop, "purchase:A-1")

    names = {campaign_id: name for name, campaign_id in shop.campaign_ids.items()}
    told = {names[each.campaign_id]: each for each in explanation.decisions}
    assert {name: each.outcome for name, each in told.items()} == {
        "pays": Outcome.GRANTED,
        "asks for more": Outcome.NOT_MATCHED,
        "is poor": Outcome.BUDGET_REFUSED,
        "is over": Outcome.NOT_ACTIVE,
        "is not yet": Outcome.NOT_ACTIVE,
        "is for referrers": Outcome.NOTHING_TO_PAY,
    }
    assert told["asks for more"].details["failed"] == {
        "path": "conditions[0]",
        "logic": "all",
        "field": "purchase.amount",
        "operator": "gte",
        "expected": "200",
        "saw": "100.00",
    }
    refused = told["is poor"].details["refused"]
    assert isinstance(refused, dict)
    assert refused["label"] == "march"
    assert (refused["wanted"], refused["used"], refused["limit"]) == ("5000000", "0", "4500000")
    assert told["is over"].details == {"why": "expired"}
    assert told["is not yet"].details == {"why": "before its start"}
    assert [each.sequence for each in explanation.decisions] == list(range(1, 7))
    assert [each.base_units for each in await rewards_of(shop)] == [1_000_000]
    (window,) = await windows_of(shop, "is poor")
    assert (window.used, window.refused_count, window.refused) == (0, 1, 5_000_000)


async def test_a_paused_campaign_pays_nothing_until_it_is_resumed(database: Database) -> None:
    """A merchant who stops a campaign would go on paying."""
    shop = await a_shop(database, a_campaign(limits=(Limit(amount="100"),)))
    await shop.buy("buyer", "A-1")
    await shop.change("welcome", Campaign.pause)
    await shop.work()

    (decision,) = (await explain(shop, "purchase:A-1")).decisions
    assert (decision.outcome, decision.details) == (Outcome.NOT_ACTIVE, {"why": "paused"})

    await shop.change("welcome", Campaign.resume)
    await shop.buy("buyer", "A-2")
    await shop.work()

    assert await amounts_of(shop) == [("purchase:A-2", 1_000_000)]
    assert await used_of(shop, "welcome") == [1_000_000]


async def test_an_archived_campaign_decides_nothing(database: Database) -> None:
    """A campaign that has ended for good would still pay."""
    shop = await a_shop(database, a_campaign())
    await shop.buy("buyer", "A-1")
    await shop.change("welcome", Campaign.archive)

    await shop.work()

    assert (await explain(shop, "purchase:A-1")).decisions == []
    assert await states_of(shop) == {"purchase:A-1": InteractionState.DECIDED}


async def test_budgets_are_charged_by_the_month_of_the_order(database: Database) -> None:
    """Orders of March, decided in April, would eat April's budget."""
    shop = await a_shop(
        database,
        a_campaign(
            amount=fixed("10"),
            limits=(Limit(amount="25", window=CalendarMonths(time_zone="UTC")),),
        ),
    )
    shop.flows.clock.now = NOON + timedelta(days=40)
    # The last second of March, and the first of April.
    for number in range(3):
        await shop.buy("buyer", f"march-{number}", ordered=MONTH_END)
    await shop.buy("buyer", "april-0", ordered=MONTH_END + timedelta(seconds=1))

    await shop.work()

    march, april = await windows_of(shop, "welcome")
    assert (march.start_time, march.end_time) == (
        datetime(2025, 3, 1, tzinfo=UTC),
        datetime(2025, 4, 1, tzinfo=UTC),
    )
    # Of three in March, the third found no room.
    assert (march.used, march.refused_count) == (20_000_000, 1)
    assert (april.used, april.refused_count) == (10_000_000, 0)
    await assert_books_balance(database)


async def test_months_begin_at_midnight_in_their_zone(database: Database) -> None:
    """A shop in Paris would see its month end an hour or two late."""
    shop = await a_shop(
        database,
        a_campaign(limits=(Limit(amount="9", window=CalendarMonths(time_zone="Europe/Paris")),)),
    )
    shop.flows.clock.now = NOON + timedelta(days=40)
    # Half past eleven in the evening in UTC is April in Paris already.
    await shop.buy("buyer", "A-1", ordered=datetime(2025, 3, 31, 23, 30, tzinfo=UTC))

    await shop.work()

    (window,) = await windows_of(shop, "welcome")
    assert window.start_time == datetime(2025, 3, 31, 22, tzinfo=UTC)


async def test_one_order_is_charged_to_every_item_of_its_unit(database: Database) -> None:
    """A daily limit beside a total one would be passed over, or charged twice."""
    shop = await a_shop(
        database,
        a_campaign(
            limits=(
                Limit(amount="3", label="in all"),
                Limit(amount="2", label="a day", window=Tiles(duration=timedelta(days=1))),
                Limit(amount="9", label="points", asset=Asset.POINTS),
            )
        ),
    )
    shop.flows.clock.now = NOON + timedelta(days=3)
    for number, day in enumerate((0, 0, 0, 1, 1)):
        await shop.buy("buyer", f"A-{number}", ordered=NOON + timedelta(days=day, seconds=number))

    await shop.work()

    # Two on the first day, one on the second; then nothing is left in all.
    assert [event for event, _ in await amounts_of(shop)] == [
        "purchase:A-0",
        "purchase:A-1",
        "purchase:A-3",
    ]
    labels = {
        (each.item.label, each.start_time.day if each.item.window else None): each.used
        for each in await windows_of(shop, "welcome")
    }
    assert labels == {
        ("in all", None): 3_000_000,
        ("a day", 1): 2_000_000,
        ("a day", 2): 1_000_000,
    }
    await assert_books_balance(database)

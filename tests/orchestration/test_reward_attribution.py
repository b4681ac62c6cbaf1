"""Whom an order credits: links, touches and look-backs, as of the time of the order."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

import pytest

from domains.attribution.model import Utm
from domains.business.model import AttributionModel
from domains.campaign.model import ConditionGroup, Operator, Recipient, Trigger
from domains.rewards.model import Outcome, referral_reference
from infrastructure.database.transaction import Database
from tests.support.books import amounts_of, count_of, events_of, explain, rewards_of
from tests.support.flows import NOON
from tests.support.rules import a_campaign, a_condition, chained, fixed, percent
from tests.support.shop import Shop, a_shop

DAY = timedelta(days=1)
AD = Utm(source="newsletter", campaign="spring")
REFERRED = a_campaign("referred", to=Recipient.REFERRER, trigger=Trigger.REFERRAL_PURCHASE)
PLAIN = a_campaign("plain")


def came_by(source: str) -> ConditionGroup:
    return a_condition("attribution.source", Operator.EQ, source)


async def credited(shop: Shop) -> set[tuple[str, str]]:
    """Which campaigns paid for which orders."""
    return {(each.event, each.campaign) for each in await rewards_of(shop)}


async def buy_later(shop: Shop, order: str, ordered: datetime) -> None:
    """An order of `ordered` that is reported and decided two days late."""
    shop.flows.clock.now = ordered + 2 * DAY
    await shop.buy("buyer", order, ordered=ordered)
    await shop.work()


async def test_a_referral_counts_although_an_ad_came_after_it(database: Database) -> None:
    """Whoever recommended the shop would lose the reward to an advertisement."""
    shop = await a_shop(database, REFERRED, a_campaign("by ad", when=came_by("paid_ad")), PLAIN)
    friend = (await shop.arrive("friend")).identity_group_id
    await shop.arrive("buyer", referrer="friend")
    shop.flows.clock.advance(DAY)
    await shop.arrive("buyer", utm=AD)
    await shop.buy("buyer", "A-1")

    await shop.work()

    assert await credited(shop) == {("purchase:A-1", "referred"), ("purchase:A-1", "plain")}
    assert {each.person for each in await rewards_of(shop) if each.campaign == "referred"} == {
        friend
    }


async def test_an_ad_counts_when_the_referral_is_too_old(database: Database) -> None:
    """A click of months ago would be paid for ever, and the source would be a wrong one."""
    shop = await a_shop(
        database,
        REFERRED,
        a_campaign("by ad", when=a_condition("attribution.utmCampaign", Operator.EQ, "spring")),
    )
    await shop.arrive("friend")
    await shop.arrive("buyer", referrer="friend")
    shop.flows.clock.advance(20 * DAY)
    await shop.arrive("buyer", utm=AD)
    shop.flows.clock.advance(11 * DAY)
    await shop.buy("buyer", "A-1")

    await shop.work()

    assert await credited(shop) == {("purchase:A-1", "by ad")}


async def test_a_direct_visit_is_no_referral(database: Database) -> None:
    """Campaigns for recommendations would pay for buyers whom nobody brought."""
    shop = await a_shop(
        database,
        REFERRED,
        a_campaign("brought buyers", trigger=Trigger.REFERRAL_PURCHASE),
        PLAIN,
        a_campaign("direct", when=came_by("direct")),
    )
    await shop.arrive("buyer")
    await shop.buy("buyer", "A-1")

    await shop.work()

    assert await credited(shop) == {("purchase:A-1", "plain"), ("purchase:A-1", "direct")}
    # The campaigns for recommendations were not even asked.
    assert len((await explain(shop, "purchase:A-1")).decisions) == 2


async def test_one_s_own_link_is_no_referral(database: Database) -> None:
    """Everybody would pay themselves by opening their own link."""
    shop = await a_shop(database, REFERRED, PLAIN)
    first = await shop.arrive("buyer", referrer="buyer")
    again = await shop.arrive("buyer", referrer="buyer")
    await shop.buy("buyer", "A-1")

    await shop.work()

    assert (first.referral_link_id, again.referral_link_id) == (None, None)
    assert await count_of(shop, "referral_link") == 0
    assert await credited(shop) == {("purchase:A-1", "plain")}


async def test_five_of_a_chain_of_seven_are_paid(database: Database) -> None:
    """A chain would be cut too early, or go on without end."""
    shop = await a_shop(
        database,
        a_campaign(
            amount=percent("10"),
            to=Recipient.REFERRER,
            trigger=Trigger.REFERRAL_PURCHASE,
            chaining=chained("0", "50"),
        ),
    )
    people = [f"person {number}" for number in range(7)]
    groups = []
    for person, referrer in zip([*people, "buyer"], ["", *people], strict=True):
        groups.append((await shop.arrive(person, referrer=referrer)).identity_group_id)
    await shop.buy("buyer", "A-1")

    await shop.work()

    above = groups[-2:-7:-1]
    assert [(each.depth, each.person, each.base_units) for each in await rewards_of(shop)] == [
        (1, above[0], 5_000_000),
        (2, above[1], 2_500_000),
        (3, above[2], 1_250_000),
        (4, above[3], 625_000),
        (5, above[4], 625_000),
    ]


async def test_an_order_in_time_counts_however_late_it_is_reported(database: Database) -> None:
    """A slow webhook would cost a referrer the reward."""
    shop = await a_shop(database, REFERRED)
    await shop.arrive("friend")
    await shop.arrive("buyer", referrer="friend")

    await buy_later(shop, "day 29", NOON + 29 * DAY)
    await buy_later(shop, "day 30, almost", NOON + 30 * DAY - timedelta(microseconds=1))
    await buy_later(shop, "day 30", NOON + 30 * DAY)

    assert {event for event, _ in await amounts_of(shop)} == {
        "purchase:day 29",
        "purchase:day 30, almost",
    }


async def test_an_order_from_before_the_arrival_is_not_credited(database: Database) -> None:
    """A link opened after the purchase would be paid for it."""
    shop = await a_shop(database, REFERRED, PLAIN)
    await shop.arrive("friend")
    shop.flows.clock.advance(DAY)
    await shop.arrive("buyer", referrer="friend")

    await buy_later(shop, "before", NOON)
    await buy_later(shop, "after", NOON + DAY)

    assert await credited(shop) == {
        ("purchase:before", "plain"),
        ("purchase:after", "plain"),
        ("purchase:after", "referred"),
    }


@pytest.mark.parametrize(
    ("model", "second_is_paid_for"),
    [
        (AttributionModel.FIRST_TOUCH, set()),
        (AttributionModel.LAST_TOUCH, {"purchase:after the second"}),
    ],
)
async def test_the_merchant_chooses_between_first_and_last_touch(
    database: Database, model: AttributionModel, second_is_paid_for: set[str]
) -> None:
    """The wrong one of two referrers would be paid, or the past would be rewritten."""
    shop = await a_shop(database, REFERRED, attribution_model=model)
    first = (await shop.arrive("first")).identity_group_id
    second = (await shop.arrive("second")).identity_group_id
    await shop.arrive("buyer", referrer="first")
    shop.flows.clock.advance(2 * DAY)
    await shop.arrive("buyer", referrer="second")

    # An order from between the two is told of last.
    await buy_later(shop, "after the second", NOON + 3 * DAY)
    await buy_later(shop, "between", NOON + DAY)

    paid = {each.event: each.person for each in await rewards_of(shop)}
    assert paid == {
        "purchase:between": first,
        "purchase:after the second": second if second_is_paid_for else first,
    }


async def test_a_referrer_is_replaced_once_the_look_back_is_over(database: Database) -> None:
    """A visitor's first referrer would bar every later one for good."""
    shop = await a_shop(database, REFERRED, look_back=timedelta(days=7))
    await shop.arrive("first")
    second = (await shop.arrive("second")).identity_group_id
    await shop.arrive("buyer", referrer="first")
    shop.flows.clock.now = NOON + 7 * DAY - timedelta(seconds=1)
    assert (await shop.arrive("buyer", referrer="second")).referral_link_id is None
    # The first referrer's last touch is 7 days old.
    shop.flows.clock.now = NOON + 7 * DAY
    assert (await shop.arrive("buyer", referrer="second")).referral_link_id is not None

    await buy_later(shop, "A-1", NOON + 8 * DAY)

    assert [each.person for each in await rewards_of(shop)] == [second]


async def test_a_new_visit_by_the_same_link_renews_it(database: Database) -> None:
    """A referrer whose friend came back would be unpaid, or brought the friend twice."""
    shop = await a_shop(database, REFERRED, look_back=timedelta(days=7))
    await shop.arrive("friend")
    assert (await shop.arrive("buyer", referrer="friend")).referral_link_id is not None
    shop.flows.clock.now = NOON + 20 * DAY
    assert (await shop.arrive("buyer", referrer="friend")).referral_link_id is None

    await buy_later(shop, "in between", NOON + 10 * DAY)
    await buy_later(shop, "after", NOON + 21 * DAY)

    assert {event for event, _ in await amounts_of(shop)} == {"purchase:after"}


async def test_bringing_somebody_is_an_event_of_its_own(database: Database) -> None:
    """Campaigns that reward recommending would pay nobody, or twice for one friend."""
    shop = await a_shop(
        database,
        a_campaign("thanks", amount=fixed("2"), to=Recipient.REFERRER, trigger=Trigger.REFERRAL),
        a_campaign("hello", amount=fixed("0.5"), to=Recipient.REFEREE, trigger=Trigger.REFERRAL),
        PLAIN,
    )
    friend = (await shop.arrive("friend")).identity_group_id
    brought = await shop.arrive("newcomer", referrer="friend")
    await shop.arrive("newcomer", referrer="friend")

    await shop.work()

    assert brought.referral_link_id is not None
    event = referral_reference("newcomer")
    assert [each.event_reference for each in await events_of(shop)] == [event]
    assert {(each.campaign, each.person, each.base_units) for each in await rewards_of(shop)} == {
        ("thanks", friend, 2_000_000),
        ("hello", brought.identity_group_id, 500_000),
    }
    explanation = await explain(shop, event)
    assert {each.outcome for each in explanation.decisions} == {Outcome.GRANTED}
    assert len(explanation.decisions) == 2


async def test_everybody_above_shares_in_bringing_somebody(database: Database) -> None:
    """The friend would be paid twice, and whoever brought the friend nothing."""
    shop = await a_shop(
        database,
        a_campaign(
            amount=fixed("10"),
            to=Recipient.REFERRER,
            trigger=Trigger.REFERRAL,
            chaining=chained("20", "50"),
        ),
    )
    above = (await shop.arrive("above")).identity_group_id
    friend = (await shop.arrive("friend", referrer="above")).identity_group_id
    newcomer = (await shop.arrive("newcomer", referrer="friend")).identity_group_id

    await shop.work()

    event = referral_reference("newcomer")
    assert [
        (each.depth, each.person, each.base_units)
        for each in await rewards_of(shop)
        if each.event == event
    ] == [(0, newcomer, 2_000_000), (1, friend, 4_000_000), (2, above, 4_000_000)]


async def test_a_link_earns_although_its_visit_was_noted_a_moment_before(
    database: Database,
) -> None:
    """With a short look-back, a friend would bring somebody and not be paid for it."""
    shop = await a_shop(
        database,
        a_campaign(to=Recipient.REFERRER, trigger=Trigger.REFERRAL),
        look_back=timedelta(seconds=30),
    )
    seconds = 0

    async def arrive(client: str, *, at: int, by: str = "") -> UUID:
        nonlocal seconds
        shop.flows.clock.advance(timedelta(seconds=at - seconds))
        seconds = at
        return (await shop.arrive(client, referrer=by)).identity_group_id

    for client in ("newcomer", "third"):
        await arrive(client, at=0)
    friend = await arrive("friend", at=0, by="newcomer")
    # Whom the newcomer has brought cannot bring them, until somebody else has brought the friend.
    await arrive("newcomer", at=20, by="friend")
    await arrive("friend", at=31, by="third")
    # The same page again within a minute is the same visit, which the look-back has left behind.
    await arrive("newcomer", at=61, by="friend")

    await shop.work()

    event = referral_reference("newcomer")
    assert [each.person for each in await rewards_of(shop) if each.event == event] == [friend]

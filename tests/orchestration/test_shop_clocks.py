"""Shops whose clocks are wrong, or that say their times wrongly."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from domains.attribution.model import Utm
from domains.business.model import AttributionModel
from domains.campaign.model import Operator, Recipient
from infrastructure.database.transaction import Database
from tests.support.books import explain, order_of, rewards_of
from tests.support.flows import NOON
from tests.support.rules import a_campaign, a_condition
from tests.support.shop import Shop, a_shop

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
TOLERANCE = timedelta(minutes=5)


def slow(now: datetime) -> str:
    """A clock that is four minutes slow."""
    return (now - 4 * MINUTE).isoformat()


def cut(now: datetime) -> str:
    """A program that keeps whole minutes: `17:50:00` is before all that came in that minute."""
    return now.replace(second=0, microsecond=0).isoformat()


def local_marked_z(now: datetime) -> str:
    """Berlin's time with a Z behind it: an hour ahead, and two in summer."""
    return (now + 2 * HOUR).strftime("%Y-%m-%dT%H:%M:%SZ")


def western_marked_z(now: datetime) -> str:
    """Los Angeles' time with a Z behind it: eight hours behind."""
    return (now - 8 * HOUR).strftime("%Y-%m-%dT%H:%M:%SZ")


CLOCKS = {
    "slow": slow,
    "cut": cut,
    "local time marked Z": local_marked_z,
    "western time marked Z": western_marked_z,
}
TOLERANCES = {"western time marked Z": 12 * HOUR}
FRIENDS = a_campaign(to=Recipient.REFERRER)


async def a_shop_with_a_friend(database: Database, *, tolerance: timedelta) -> Shop:
    """Somebody follows a friend's link at half past a minute."""
    shop = await a_shop(database, FRIENDS, reward_delay=HOUR, clock_tolerance=tolerance)
    await shop.arrive("friend")
    shop.flows.clock.advance(30 * SECOND)
    await shop.arrive("buyer", referrer="friend")
    return shop


async def report(shop: Shop, clock: str, status: str, *, ordered: str) -> None:
    """The shop says what it has, with the times of its own clock."""
    said = CLOCKS[clock](shop.flows.clock.now)
    await shop.report("A-1", status, clientId="buyer", createdAt=ordered, updatedAt=said)


@pytest.mark.parametrize("clock", CLOCKS)
async def test_a_shop_whose_clock_is_wrong_credits_and_takes_back(
    database: Database, clock: str
) -> None:
    """Whoever recommended the shop would get nothing, or keep what was refunded the same day."""
    shop = await a_shop_with_a_friend(database, tolerance=TOLERANCES.get(clock, TOLERANCE))
    friend = (await shop.arrive("friend")).identity_group_id
    shop.flows.clock.advance(10 * SECOND)
    ordered = CLOCKS[clock](shop.flows.clock.now)
    await report(shop, clock, "confirmed", ordered=ordered)
    shop.flows.clock.advance(2 * HOUR)
    await shop.work()
    [reward] = await rewards_of(shop)
    assert (reward.person, reward.state) == (friend, "pending")

    credit = (await explain(shop, "purchase:A-1")).credit
    assert credit is not None
    assert credit.credit.needed_tolerance is (clock != "local time marked Z")

    shop.flows.clock.advance(MINUTE)
    await report(shop, clock, "refunded", ordered=ordered)
    await shop.work()
    [reward] = await rewards_of(shop)
    assert reward.state == "cancelled"


@pytest.mark.parametrize("clock", ["slow", "cut"])
async def test_without_a_tolerance_a_slow_clock_credits_nobody_and_says_so(
    database: Database, clock: str
) -> None:
    """A merchant would not find out why nobody is credited."""
    shop = await a_shop_with_a_friend(database, tolerance=timedelta())
    shop.flows.clock.advance(10 * SECOND)
    said = CLOCKS[clock](shop.flows.clock.now)
    await report(shop, clock, "confirmed", ordered=said)
    shop.flows.clock.advance(2 * HOUR)
    await shop.work()

    assert await rewards_of(shop) == []
    credit = (await explain(shop, "purchase:A-1")).credit
    assert credit is not None
    touched, ordered = NOON + 30 * SECOND, datetime.fromisoformat(said)
    assert credit.late == touched - ordered


@pytest.mark.parametrize("model", AttributionModel)
async def test_a_link_followed_after_the_order_takes_it_from_nobody(
    database: Database, model: AttributionModel
) -> None:
    """Whoever shows a coupon while the buyer pays would have what another one earned."""
    shop = await a_shop(
        database,
        FRIENDS,
        reward_delay=HOUR,
        clock_tolerance=TOLERANCE,
        look_back=DAY,
        attribution_model=model,
    )
    ann, bob = [(await shop.arrive(each)).identity_group_id for each in ("ann", "bob")]
    await shop.arrive("buyer", referrer="ann")
    shop.flows.clock.advance(DAY - MINUTE)
    ordered = shop.flows.clock.now
    shop.flows.clock.advance(2 * MINUTE)
    await shop.arrive("buyer", referrer="bob")
    await shop.report("A-1", ordered=ordered, clientId="buyer")
    shop.flows.clock.advance(2 * HOUR)
    await shop.work()

    assert [each.person for each in await rewards_of(shop)] == [ann]
    assert bob != ann
    explained = (await explain(shop, "purchase:A-1")).credit
    assert explained is not None
    assert (explained.credit.needed_tolerance, explained.credit_time) == (False, ordered)


async def test_the_look_back_is_that_before_the_order(database: Database) -> None:
    """A report that comes late would shorten it, and a referrer lose what was earned."""
    shop = await a_shop(
        database, FRIENDS, reward_delay=HOUR, clock_tolerance=TOLERANCE, look_back=DAY
    )
    friend = (await shop.arrive("friend")).identity_group_id
    await shop.arrive("buyer", referrer="friend")
    shop.flows.clock.advance(DAY - MINUTE)
    ordered = shop.flows.clock.now
    shop.flows.clock.advance(4 * MINUTE)
    await shop.report("A-1", ordered=ordered, clientId="buyer")
    shop.flows.clock.advance(2 * HOUR)
    await shop.work()

    assert [each.person for each in await rewards_of(shop)] == [friend]


async def test_a_link_followed_too_early_is_told_with_the_time_that_was_missing(
    database: Database,
) -> None:
    """A merchant would look for minutes that nobody was missing: those of the tolerance."""
    shop = await a_shop(
        database, FRIENDS, reward_delay=HOUR, clock_tolerance=TOLERANCE, look_back=DAY
    )
    await shop.arrive("friend")
    await shop.arrive("buyer", referrer="friend")
    shop.flows.clock.advance(DAY + MINUTE)
    ordered = shop.flows.clock.now
    shop.flows.clock.advance(HOUR)
    await shop.report("A-1", ordered=ordered, clientId="buyer")
    shop.flows.clock.advance(2 * HOUR)
    await shop.work()

    assert await rewards_of(shop) == []
    explained = (await explain(shop, "purchase:A-1")).credit
    assert explained is not None
    assert (explained.credit_time, explained.early) == (ordered + TOLERANCE, MINUTE)


async def test_an_advertisement_seen_after_the_order_did_not_lead_to_it(
    database: Database,
) -> None:
    """A campaign for an advertisement would pay for who came by themselves."""
    by_advertisement = a_condition("attribution.source", Operator.EQ, "paid_ad")
    shop = await a_shop(
        database,
        a_campaign(when=by_advertisement),
        reward_delay=HOUR,
        clock_tolerance=TOLERANCE,
    )
    await shop.arrive("buyer")
    shop.flows.clock.advance(2 * MINUTE)
    ordered = shop.flows.clock.now
    shop.flows.clock.advance(MINUTE)
    await shop.arrive("buyer", utm=Utm(source="news"))
    await shop.report("A-1", ordered=ordered, clientId="buyer")
    shop.flows.clock.advance(2 * HOUR)
    await shop.work()

    assert await rewards_of(shop) == []


@pytest.mark.parametrize("said", [False, True])
@pytest.mark.parametrize("ahead", [4 * MINUTE, 2 * HOUR])
async def test_a_refund_behind_a_fast_clock_is_seen(
    database: Database, ahead: timedelta, *, said: bool
) -> None:
    """The payment provider's report has no time, or a right one; the order's is ahead."""
    shop = await a_shop(database, a_campaign(), reward_delay=HOUR)
    await shop.report("A-1", ordered=NOON, updated=NOON + ahead, clientId="buyer")
    shop.flows.clock.advance(MINUTE)
    time = shop.flows.clock.now.isoformat() if said else None
    await shop.report("A-1", "refunded", ordered=NOON, updatedAt=time)
    shop.flows.clock.advance(2 * HOUR)
    await shop.work()

    assert (await order_of(shop, "A-1")).state == "refunded"
    assert await rewards_of(shop) == []


@pytest.mark.parametrize("ahead", [timedelta(), SECOND, 4 * SECOND])
async def test_reports_of_a_fast_clock_that_overtake_each_other_count_as_they_are_dated(
    database: Database, ahead: timedelta
) -> None:
    """A payment that was taken back a moment later would be confirmed for good, and paid."""
    shop = await a_shop(database, a_campaign())
    confirmed, refunded = NOON + ahead, NOON + ahead + SECOND
    shop.flows.clock.advance(2 * SECOND)
    await shop.report("A-1", "refunded", ordered=NOON, updated=refunded, clientId="buyer")
    shop.flows.clock.advance(SECOND)
    await shop.report("A-1", ordered=NOON, updated=confirmed, clientId="buyer")
    shop.flows.clock.advance(HOUR)

    await shop.work()

    assert (await order_of(shop, "A-1")).state == "refunded"
    assert await rewards_of(shop) == []


@pytest.mark.parametrize("ahead", [timedelta(), 4 * MINUTE, 2 * HOUR])
async def test_a_report_that_is_told_again_is_no_newer_one(
    database: Database, ahead: timedelta
) -> None:
    """A shop's developer who sends a report again would bring a refunded order back to life."""
    shop = await a_shop(database, a_campaign())
    body = shop.order_body("A-1", updated=NOON + ahead, clientId="buyer")
    await shop.deliver(body, event_id="1")
    shop.flows.clock.advance(MINUTE)
    taken_back = shop.flows.clock.now + ahead
    await shop.report("A-1", "refunded", ordered=NOON, updated=taken_back, event_id="2")
    shop.flows.clock.advance(MINUTE)

    assert await shop.deliver(body, event_id="3") == "ok"

    shop.flows.clock.advance(HOUR)
    await shop.work()
    assert (await order_of(shop, "A-1")).state == "refunded"
    assert await rewards_of(shop) == []

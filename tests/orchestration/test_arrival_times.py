"""Arrivals at the edges of time: look-backs, repetitions, histories that come late."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise

import pytest

from domains.attribution.model import Utm
from domains.business.model import AttributionModel
from domains.referral.model import DEPTH_MAX
from infrastructure.database.transaction import Database
from orchestration.arrival.flow import Arrival, ArrivalRecord
from orchestration.arrival.statements import lock_referrals
from tests.support.books import count_of, events_of, read
from tests.support.flows import NOON
from tests.support.races import beside
from tests.support.shop import Shop, a_shop

DAY = timedelta(days=1)
LOOK_BACK = 30 * DAY
MOMENT = timedelta(microseconds=1)
PAGE = "https://shop.example/"
AD = Utm(source="news", medium="cpc")
_REFERRERS = """
    SELECT referrer_group_id FROM referral_link WHERE end_time IS NULL AND referee_group_id = :id
"""


async def past(
    shop: Shop, client: str, time: datetime, *, referrer: str = "", **said: object
) -> ArrivalRecord:
    """A browser arrived then; it is told now."""
    arrival = Arrival(
        merchant_id=shop.merchant_id,
        client_id=client,
        referrer_wallet="",
        referrer_client_id=referrer,
        referrer_merchant_id=None,
        landing_url=PAGE,
        utm=Utm(),
    )
    arrival = replace(arrival, **said)  # type: ignore[arg-type]
    return await shop.flows.arrival.record_past(arrival, event_time=time, repeat=None)


async def a_shop_with_friends(
    database: Database, model: AttributionModel = AttributionModel.FIRST_TOUCH
) -> Shop:
    """Two friends came long ago."""
    shop = await a_shop(database, look_back=LOOK_BACK, attribution_model=model)
    for friend in ("one", "other"):
        await past(shop, friend, NOON - 400 * DAY)
    return shop


async def test_a_visit_that_was_yet_to_come_keeps_no_referrer(database: Database) -> None:
    """What is imported would depend on visits that had not happened by then."""
    shop = await a_shop_with_friends(database)
    await past(shop, "visitor", NOON - 60 * DAY, referrer="one")
    await past(shop, "visitor", NOON - 10 * DAY, referrer="one")

    # Nothing was heard of the first friend for 40 days.
    record = await past(shop, "visitor", NOON - 20 * DAY, referrer="other")

    assert record.referral_link_id is not None
    links = await read(database, "SELECT start_time, end_time FROM referral_link ORDER BY 1")
    assert [tuple(each) for each in links] == [
        (NOON - 60 * DAY, NOON - 20 * DAY),
        (NOON - 20 * DAY, None),
    ]


@pytest.mark.parametrize(
    ("elapsed", "is_replaced"), [(LOOK_BACK - MOMENT, False), (LOOK_BACK, True)]
)
async def test_a_visit_counts_until_the_look_back_is_over(
    database: Database, elapsed: timedelta, is_replaced: bool
) -> None:
    """At the edge, a visitor would be kept by a friend whose visit earns nothing any more."""
    shop = await a_shop_with_friends(database)
    first = NOON - 60 * DAY
    await past(shop, "visitor", first, referrer="one")

    record = await past(shop, "visitor", first + elapsed, referrer="other")

    assert (record.referral_link_id is not None) is is_replaced


@pytest.mark.parametrize(
    ("elapsed", "is_same"),
    [
        (timedelta(), True),
        (timedelta(minutes=1) - MOMENT, True),
        (timedelta(minutes=1), False),
        (-timedelta(seconds=30), False),
    ],
)
async def test_a_page_opened_again_within_a_minute_is_the_same_arrival(
    database: Database, elapsed: timedelta, is_same: bool
) -> None:
    """A reload would be a visit of its own, or a visit that was told late be lost."""
    shop = await a_shop(database)
    first = await past(shop, "visitor", NOON - DAY)

    second = await past(shop, "visitor", NOON - DAY + elapsed)

    assert (second.touchpoint_id == first.touchpoint_id) is is_same
    assert await count_of(shop, "touchpoint") == (1 if is_same else 2)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({}, {"landing_url": f"{PAGE}other"}),
        ({"utm": AD}, {"utm": replace(AD, source="mail")}),
        ({}, {"utm": AD}),
        ({"referrer": "one"}, {"referrer": "other"}),
        ({}, {"referrer": "one"}),
    ],
)
async def test_another_door_within_a_minute_is_another_arrival(
    database: Database, before: dict[str, object], after: dict[str, object]
) -> None:
    """Whoever comes by an ad and a moment later by a friend would have come by one of them."""
    shop = await a_shop_with_friends(database)
    first = await past(shop, "visitor", NOON - DAY, **before)  # type: ignore[arg-type]

    second = await past(shop, "visitor", NOON - DAY + MOMENT, **after)  # type: ignore[arg-type]

    assert second.touchpoint_id != first.touchpoint_id


async def test_of_two_friends_in_one_instant_the_last_one_stays(database: Database) -> None:
    """Visits with whole seconds for times would be credited to whoever came first."""
    shop = await a_shop_with_friends(database, AttributionModel.LAST_TOUCH)
    visitor = await past(shop, "visitor", NOON - DAY, referrer="one")
    other = await past(shop, "other", NOON - DAY)

    await past(shop, "visitor", NOON - DAY, referrer="other")

    (active,) = await read(database, _REFERRERS, id=visitor.identity_group_id)
    assert active.referrer_group_id == other.identity_group_id


async def test_the_same_friend_again_is_no_new_link(database: Database) -> None:
    """Every visit by one link would end it and begin another one."""
    shop = await a_shop_with_friends(database, AttributionModel.LAST_TOUCH)
    await past(shop, "visitor", NOON - 2 * DAY, referrer="one")

    record = await past(shop, "visitor", NOON - DAY, referrer="one")

    assert record.referral_link_id is None
    assert await count_of(shop, "referral_link") == 1


async def test_a_person_is_brought_once_and_that_is_due_now(database: Database) -> None:
    """One friend would be paid for again and again, by taking turns with another one."""
    shop = await a_shop_with_friends(database, AttributionModel.LAST_TOUCH)
    for days, referrer in ((9, "one"), (8, "other"), (7, "one")):
        await past(shop, "visitor", NOON - days * DAY, referrer=referrer)

    (event,) = await events_of(shop)
    assert (event.event_time, event.due_time) == (NOON - 9 * DAY, NOON)


async def test_a_link_that_ended_at_this_instant_is_over(database: Database) -> None:
    """A friendship that was over would keep two people from bringing each other."""
    shop = await a_shop_with_friends(database, AttributionModel.LAST_TOUCH)
    await past(shop, "visitor", NOON - 20 * DAY, referrer="one")
    await past(shop, "visitor", NOON - 10 * DAY, referrer="other")

    early = await past(shop, "one", NOON - 10 * DAY - MOMENT, referrer="visitor")
    late = await past(shop, "one", NOON - 10 * DAY, referrer="visitor")

    assert early.referral_link_id is None
    assert late.referral_link_id is not None


async def test_nobody_is_above_themselves_as_far_as_any_rule_looks(database: Database) -> None:
    """The last one of a ring would be paid for bringing the first, who brought everybody."""
    shop = await a_shop(database)
    people = [f"person {number}" for number in range(DEPTH_MAX)]
    await shop.arrive(people[0])
    for above, below in pairwise(people):
        await shop.arrive(below, referrer=above)

    far = await shop.arrive(people[0], referrer=people[-1])

    assert far.referral_link_id is None


async def test_nobody_brings_themselves(database: Database) -> None:
    """A visitor's own link would earn them what a friend's does."""
    shop = await a_shop(database)
    await shop.arrive("visitor")

    assert (await shop.arrive("visitor", referrer="visitor")).referral_link_id is None
    assert (await shop.arrive("new", referrer="new")).referral_link_id is None
    assert await count_of(shop, "referral_link") == 0


async def test_what_happens_now_is_not_of_the_future(database: Database) -> None:
    """A shop that sends its visits at once would be refused."""
    shop = await a_shop(database)

    assert (await past(shop, "visitor", NOON)).identity_group_id


async def test_merchants_do_not_wait_for_each_other_s_referrals(real_database: Database) -> None:
    """One shop's slow arrival would hold up those of all shops."""
    shops = [await a_shop(real_database) for _ in range(2)]
    for shop in shops:
        for client in ("friend", "visitor"):
            await shop.arrive(client)

    async with real_database.transaction() as tx:
        held = await lock_referrals(tx, merchant_id=shops[0].merchant_id, client_id="visitor")
        assert held
        async with asyncio.timeout(5):
            record = await beside(shops[1].arrive("visitor", referrer="friend"))

    assert record.referral_link_id is not None

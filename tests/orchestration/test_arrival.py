"""Arrivals: who came, through which door, and who brought them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from domains.attribution.model import Utm
from domains.campaign.model import CalendarMonths, Recipient, Tiles, Trigger
from domains.rewards.model import Outcome, referral_reference
from infrastructure.database.transaction import Database
from orchestration.arrival.flow import Arrival
from tests.support.books import count_of, events_of, explain, read
from tests.support.flows import NOON
from tests.support.rules import Limit, a_campaign
from tests.support.shop import Shop, a_shop
from vocabulary.ids import MerchantId
from vocabulary.refusals import EventTimeInvalidError, MerchantNotFoundError

WALLET = "0x52908400098527886e0f7030069857d2e4169ee7"
CHECKSUMMED = "0x52908400098527886E0F7030069857D2E4169EE7"
DAY = timedelta(days=1)


def an_arrival(merchant_id: MerchantId, client: str = "visitor", *, referrer: str = "") -> Arrival:
    return Arrival(
        merchant_id=merchant_id,
        client_id=client,
        referrer_wallet="",
        referrer_client_id=referrer,
        referrer_merchant_id=None,
        landing_url="",
        utm=Utm(),
    )


async def touches_of(shop: Shop) -> list[tuple[str, object, object]]:
    rows = await read(
        shop.database,
        """
        SELECT source, referrer_group_id, utm FROM touchpoint
        WHERE merchant_id = :merchant_id ORDER BY touchpoint_id
        """,
        merchant_id=shop.merchant_id,
    )
    return [tuple(row) for row in rows]


@pytest.mark.parametrize("utm", [Utm(), Utm(source="newsletter")])
@pytest.mark.parametrize("referrer", ["visitor", "somebody who never came"])
@pytest.mark.parametrize("is_known", [True, False])
async def test_a_link_of_oneself_or_of_nobody_is_no_referral(
    database: Database, *, is_known: bool, referrer: str, utm: Utm
) -> None:
    """Who opens a link that they made would meet a rule for people whom others brought."""
    shop = await a_shop(database)
    if is_known:
        await shop.arrive("visitor")
        shop.flows.clock.advance(timedelta(minutes=2))

    arrival = replace(an_arrival(shop.merchant_id, referrer=referrer), utm=utm)
    await shop.flows.arrival.track(arrival, repeat=None)
    (*_, (source, referrer_group_id, _)) = await touches_of(shop)

    assert (source, referrer_group_id) == ("paid_ad" if utm.source else "direct", None)


async def test_a_long_address_costs_nobody_their_referrer(database: Database) -> None:
    """Advertisers hang ids on links until they are longer than anybody planned for."""
    shop = await a_shop(database)
    tail = "&utm_campaign=spring"
    address = f"https://shop.example/?id={'x' * 8_192}"[: 8_192 - len(tail)] + tail
    arrival = an_arrival(shop.merchant_id, referrer="referrer")
    await shop.arrive("referrer")
    record = await shop.flows.arrival.track(replace(arrival, landing_url=address), repeat=None)

    assert record.referral_link_id is not None
    (kept,) = await read(
        shop.database,
        "SELECT landing_url, utm ->> 'campaign' AS campaign FROM touchpoint "
        "WHERE touchpoint_id = :touchpoint_id",
        touchpoint_id=record.touchpoint_id,
    )
    assert (kept.landing_url, kept.campaign) == (address[:2_048], "spring")


async def test_a_browser_is_one_person_at_each_merchant(database: Database) -> None:
    """A person would be new at every visit, or be followed from shop to shop."""
    here, there = await a_shop(database), await a_shop(database)

    first = await here.arrive("browser")
    here.flows.clock.advance(timedelta(minutes=1))
    again = await here.arrive("browser")
    elsewhere = await there.arrive("browser")

    assert first.identity_group_id == again.identity_group_id
    assert first.identity_group_id != elsewhere.identity_group_id
    assert first.touchpoint_id != again.touchpoint_id
    assert await count_of(here, "touchpoint") == 2


async def test_every_door_is_kept_as_what_it_is(database: Database) -> None:
    """Advertisements would be taken for recommendations, or lose their campaign."""
    shop = await a_shop(database)
    friend = (await shop.arrive("friend")).identity_group_id
    await shop.arrive("visitor", utm=Utm(source="news", term="shoes"))
    await shop.arrive("visitor", utm=Utm(term="shoes", content="hero"))
    await shop.arrive("visitor", referrer="friend", utm=Utm(source="news"))
    await shop.arrive("visitor", wallet="0xnonsense")

    ad = {"source": "news", "medium": "", "campaign": "", "term": "shoes", "content": ""}
    assert await touches_of(shop) == [
        ("direct", None, None),
        ("paid_ad", None, ad),
        ("direct", None, {**dict.fromkeys(ad, ""), "term": "shoes", "content": "hero"}),
        ("referral_link", friend, {**dict.fromkeys(ad, ""), "source": "news"}),
        ("direct", None, None),
    ]


async def test_a_wallet_that_we_have_never_seen_can_bring_people(database: Database) -> None:
    """Referrers who only use their wallet would earn nothing."""
    shop = await a_shop(database)
    one = await shop.arrive("one", wallet=WALLET)
    other = await shop.arrive("other", wallet=CHECKSUMMED)

    assert None not in {one.referral_link_id, other.referral_link_id}
    referrers = {referrer for _, referrer, _ in await touches_of(shop)}
    assert len(referrers) == 1
    nodes = await read(
        database, "SELECT value, merchant_id FROM identity_node WHERE kind = 'wallet'"
    )
    assert [tuple(node) for node in nodes] == [(WALLET, None)]


async def test_a_referrer_is_looked_for_by_wallet_then_by_browser(database: Database) -> None:
    """The wrong person would be credited when a link names two."""
    shop = await a_shop(database)
    friend = (await shop.arrive("friend")).identity_group_id
    await shop.arrive("somebody", wallet=WALLET)
    (_, holder, _) = (await touches_of(shop))[-1]

    await shop.arrive("one", wallet=WALLET, referrer="friend")
    await shop.arrive("two", wallet="0x" + "1" * 40, referrer="friend")
    await shop.arrive("three", referrer="never seen")

    assert [referrer for _, referrer, _ in (await touches_of(shop))[-3:]] == [holder, friend, None]


async def test_nobody_brings_whoever_brought_them(database: Database) -> None:
    """Three people who recommend each other in a circle would be paid round and round."""
    shop = await a_shop(database)
    await shop.arrive("a")
    for client, referrer in (("b", "a"), ("c", "b")):
        assert (await shop.arrive(client, referrer=referrer)).referral_link_id is not None

    closing = await shop.arrive("a", referrer="c")

    assert closing.referral_link_id is None
    assert await count_of(shop, "referral_link") == 2
    assert len(await events_of(shop)) == 2


async def test_an_unknown_merchant_leaves_nothing(database: Database) -> None:
    """Anybody could fill the database with visitors of shops that do not exist."""
    shop = await a_shop(database)
    nowhere = MerchantId(uuid4())

    for referrer in ("", "friend"):
        with pytest.raises(MerchantNotFoundError):
            await shop.flows.arrival.track(an_arrival(nowhere, referrer=referrer), repeat=None)

    assert await read(database, "SELECT 1 FROM identity_node") == []
    assert await read(database, "SELECT 1 FROM identity_group") == []
    assert await read(database, "SELECT 1 FROM touchpoint") == []


async def test_arrivals_of_the_past_have_their_own_time(database: Database) -> None:
    """A history that is brought along would all have happened today."""
    shop = await a_shop(database)
    flow = shop.flows.arrival
    await flow.record_past(
        an_arrival(shop.merchant_id, "friend"), event_time=NOON - 20 * DAY, repeat=None
    )
    brought = an_arrival(shop.merchant_id, "visitor", referrer="friend")
    await flow.record_past(brought, event_time=NOON - 10 * DAY, repeat=None)

    with pytest.raises(EventTimeInvalidError):
        await flow.record_past(brought, event_time=NOON + timedelta(seconds=1), repeat=None)

    (link,) = await read(database, "SELECT start_time, create_time FROM referral_link")
    assert tuple(link) == (NOON - 10 * DAY, NOON)
    (event,) = await events_of(shop)
    assert (event.event_time, event.due_time) == (NOON - 10 * DAY, NOON)


async def test_an_older_referral_does_not_undo_a_newer_one(database: Database) -> None:
    """Importing old visits late would take people from the referrer they have now."""
    shop = await a_shop(database)
    for friend in ("old friend", "new friend"):
        await shop.arrive(friend)
    link = (await shop.arrive("visitor", referrer="new friend")).referral_link_id

    old = await shop.flows.arrival.record_past(
        an_arrival(shop.merchant_id, referrer="old friend"),
        event_time=NOON - 40 * DAY,
        repeat=None,
    )

    assert link is not None
    assert old.referral_link_id is None
    (kept,) = await read(database, "SELECT referral_link_id, end_time FROM referral_link")
    assert tuple(kept) == (link, None)


async def test_a_late_import_closes_no_circle_in_the_past(database: Database) -> None:
    """Two people would be above each other for a month, and both be paid for one order."""
    shop = await a_shop(database, look_back=5 * DAY)
    flow = shop.flows.arrival
    for client in ("a", "b", "c"):
        await flow.record_past(
            an_arrival(shop.merchant_id, client), event_time=NOON - 90 * DAY, repeat=None
        )
    # "a" brought "b" until "c" did.
    for referrer, days in (("a", 50), ("c", 20)):
        await flow.record_past(
            an_arrival(shop.merchant_id, "b", referrer=referrer),
            event_time=NOON - days * DAY,
            repeat=None,
        )

    early = await flow.record_past(
        an_arrival(shop.merchant_id, "a", referrer="b"), event_time=NOON - 55 * DAY, repeat=None
    )
    late = await flow.record_past(
        an_arrival(shop.merchant_id, "a", referrer="b"), event_time=NOON - 10 * DAY, repeat=None
    )

    assert early.referral_link_id is None
    # By then "b" was no longer brought by "a".
    assert late.referral_link_id is not None


@pytest.mark.parametrize(
    "window", [CalendarMonths(time_zone="Europe/Paris"), Tiles(duration=36_500 * DAY)]
)
async def test_a_time_before_every_window_earns_nothing_and_stops_nothing(
    database: Database, window: CalendarMonths | Tiles
) -> None:
    """An event with a mistyped year would fail until it is dead, without a reason."""
    shop = await a_shop(
        database,
        a_campaign(
            to=Recipient.REFERRER,
            trigger=Trigger.REFERRAL,
            limits=(Limit(amount="10", window=window),),
        ),
    )
    await shop.arrive("friend")
    record = await shop.flows.arrival.record_past(
        an_arrival(shop.merchant_id, referrer="friend"),
        event_time=datetime(1, 1, 2, tzinfo=UTC),
        repeat=None,
    )

    await shop.work()

    assert record.referral_link_id is not None
    event = referral_reference("visitor")
    (decision,) = (await explain(shop, event)).decisions
    assert (decision.outcome, decision.details) == (
        Outcome.NOT_ACTIVE,
        {"why": "before its start"},
    )

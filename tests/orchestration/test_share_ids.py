"""Share ids: what the links of a browser carry."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from functools import partial
from uuid import uuid4

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from domains.attribution.model import Utm
from infrastructure.database.transaction import Database
from orchestration.arrival.errors import ReferrerClientIdRefusedError
from orchestration.arrival.flow import Arrival, ArrivalRecord
from tests.support.books import read
from tests.support.connections import MAKE_BROWSER, at_once, holding
from tests.support.flows import NOON, flows_on
from tests.support.shop import Shop, a_shop
from vocabulary.ids import MerchantId

WALLET = "0x52908400098527886e0f7030069857d2e4169ee7"
MINUTE = timedelta(minutes=1)


async def follow(
    shop: Shop, client: str, link: str, *, secret: str = "", wallet: str = ""
) -> ArrivalRecord:
    """A browser arrives by a link, and maybe by more that says who shared it."""
    return await shop.flows.arrival.track(
        Arrival(
            merchant_id=shop.merchant_id,
            client_id=client,
            referrer_wallet=wallet,
            referrer_client_id=secret,
            referrer_merchant_id=None,
            referrer_share_id=link,
            landing_url="https://shop.example/",
            utm=Utm(),
        ),
        repeat=None,
    )


async def referrer_of(shop: Shop, record: ArrivalRecord) -> object:
    (found,) = await read(
        shop.database,
        "SELECT referrer_group_id FROM touchpoint WHERE touchpoint_id = :touchpoint_id",
        touchpoint_id=record.touchpoint_id,
    )
    return found.referrer_group_id


async def test_a_browser_has_one_share_id_at_each_merchant(database: Database) -> None:
    """Links of yesterday would be nobody's, or tell shops who is the same."""
    shop, other = await a_shop(database), await a_shop(database)
    first = await shop.arrive("ann")
    shop.flows.clock.advance(MINUTE)
    again = await shop.arrive("ann")
    elsewhere = await other.arrive("ann")
    somebody = await shop.arrive("ben")

    assert first.share_id == again.share_id
    assert len({first.share_id, elsewhere.share_id, somebody.share_id}) == 3
    assert first.share_id.version == 4
    assert "ann" not in str(first.share_id)


async def test_whoever_follows_a_link_is_brought_by_its_person(database: Database) -> None:
    """Recommendations would be nobody's: at this merchant, or by a link of another one."""
    shop, other = await a_shop(database), await a_shop(database)
    ann = await shop.arrive("ann")
    elsewhere = await other.arrive("ann")

    ben = await follow(shop, "ben", str(ann.share_id))
    eve = await follow(shop, "eve", str(elsewhere.share_id))

    assert None not in (ben.referral_link_id, eve.referral_link_id)
    assert await referrer_of(shop, ben) == ann.identity_group_id
    assert await referrer_of(shop, eve) == elsewhere.identity_group_id


@pytest.mark.parametrize(
    "link",
    [
        "0198c0de-0000-4000-8000-000000000001",
        "",
        "ann",
        "x" * 128,
        "{uuid}",
        "urn:uuid:{uuid}",
        "{hex}",
        "{uuid} ",
    ],
)
async def test_a_link_that_is_nobody_s_is_passed_over(database: Database, link: str) -> None:
    """A visitor with a link that was cut off would not be recorded at all."""
    shop = await a_shop(database)
    share_id = (await shop.arrive("ann")).share_id
    written = {"uuid": f"{share_id}x", "hex": share_id.hex}
    for name, value in written.items():
        link = link.replace(f"{{{name}}}", value)

    record = await follow(shop, "ben", link)

    assert record.referral_link_id is None
    assert await referrer_of(shop, record) is None


@pytest.mark.parametrize("is_known", [True, False])
async def test_one_s_own_link_brings_nobody(database: Database, *, is_known: bool) -> None:
    """Whoever opens their own link would be paid for bringing themselves."""
    shop = await a_shop(database)
    share_id = (await shop.arrive("ann")).share_id if is_known else uuid4()
    shop.flows.clock.advance(MINUTE)

    record = await follow(shop, "ann", str(share_id))

    assert record.referral_link_id is None
    assert await referrer_of(shop, record) is None


async def test_a_wallet_goes_before_a_share_id_and_that_before_a_client_id(
    database: Database,
) -> None:
    """Of two people whom an arrival names, another one would be credited each time."""
    shop = await a_shop(database)
    ann, eve = await shop.arrive("ann"), await shop.arrive("eve")
    owner = await follow(shop, "owner", "", wallet=WALLET)
    by_wallet = await follow(shop, "b-1", str(ann.share_id), secret="eve", wallet=WALLET)
    by_link = await follow(shop, "b-2", str(ann.share_id), secret="eve")
    by_secret = await follow(shop, "b-3", str(uuid4()), secret="eve")

    assert await referrer_of(shop, by_wallet) == await referrer_of(shop, owner)
    assert await referrer_of(shop, by_link) == ann.identity_group_id
    assert await referrer_of(shop, by_secret) == eve.identity_group_id


async def test_a_secret_names_nobody_where_it_is_not_accepted(database: Database) -> None:
    """The secret would go on to work in links."""
    shop = await a_shop(flows_on(database, accepts_referrer_client_ids=False))
    ann = await shop.arrive("ann")
    with pytest.raises(ReferrerClientIdRefusedError):
        await follow(shop, "ben", str(ann.share_id), secret="ann")

    # What a program writes when it has none is none.
    record = await follow(shop, "ben", str(ann.share_id), secret="undefined")
    assert record.referral_link_id is not None


async def test_both_share_ids_of_a_person_lead_to_them(database: Database) -> None:
    """The links that somebody shared before two of their browsers were known to be one."""
    shop = await a_shop(database)
    phone, laptop = await shop.arrive("phone"), await shop.arrive("laptop")
    async with database.transaction() as tx:
        await tx.execute(
            text("UPDATE identity_node SET identity_group_id = :one WHERE value = 'laptop'"),
            {"one": phone.identity_group_id},
        )

    for client, record in (("b-1", phone), ("b-2", laptop)):
        brought = await follow(shop, client, str(record.share_id))
        assert await referrer_of(shop, brought) == phone.identity_group_id


async def test_one_new_browser_twice_at_once_has_one_share_id(
    engine: AsyncEngine, real_database: Database
) -> None:
    """One of two pages that open together would share a link that is nobody's."""
    shop = await a_shop(real_database)
    others = await at_once(*[partial(shop.arrive, "new")] * 6)
    assert len({each.share_id for each in others}) == 1

    # Both saw nobody, and the second one waits for the first.
    async with (
        asyncio.TaskGroup() as group,
        holding(engine, MAKE_BROWSER, merchant_id=shop.merchant_id, client="held") as holder,
    ):
        waiting = [group.create_task(shop.arrive("held")) for _ in range(2)]
        await holder.until_awaited(by=2)
    (kept,) = await read(
        real_database, "SELECT share_id FROM identity_node WHERE value = :value", value="held"
    )
    assert {each.result().share_id for each in waiting} == {kept.share_id}


async def test_history_is_imported_by_links_as_well(database: Database) -> None:
    """A shop that moves to us would lose who was brought by whom."""
    shop = await a_shop(database)
    arrival = Arrival(
        merchant_id=MerchantId(shop.merchant_id),
        client_id="ann",
        referrer_wallet="",
        referrer_client_id="",
        referrer_merchant_id=None,
        landing_url="",
        utm=Utm(),
    )
    flow = shop.flows.arrival
    ann = await flow.record_past(arrival, event_time=NOON - 9 * MINUTE, repeat=None)
    followed = replace(arrival, client_id="ben", referrer_share_id=str(ann.share_id))
    ben = await flow.record_past(followed, event_time=NOON - 5 * MINUTE, repeat=None)

    assert ben.referral_link_id is not None
    assert await referrer_of(shop, ben) == ann.identity_group_id

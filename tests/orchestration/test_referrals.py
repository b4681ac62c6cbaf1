"""The trigger of a referral: what it fires for, how often, and whom it names."""

from __future__ import annotations

from datetime import timedelta
from functools import partial

import pytest

from domains.business.model import AttributionModel
from domains.campaign.model import Recipient, Trigger
from infrastructure.database.transaction import Database
from tests.support.books import assert_books_balance, count_of, events_of, rewards_of
from tests.support.connections import at_once
from tests.support.rules import a_campaign
from tests.support.shop import Shop, a_shop
from vocabulary.ids import IdentityGroupId

BROUGHT = a_campaign("brought", to=Recipient.REFERRER, trigger=Trigger.REFERRAL)


async def a_shop_with_friends(
    database: Database,
    *,
    model: AttributionModel = AttributionModel.LAST_TOUCH,
    delay: timedelta = timedelta(),
) -> tuple[Shop, list[IdentityGroupId]]:
    shop = await a_shop(database, BROUGHT, attribution_model=model, reward_delay=delay)
    return shop, [(await shop.arrive(name)).identity_group_id for name in ("one", "other")]


async def paid(shop: Shop) -> list[object]:
    return [each.person for each in await rewards_of(shop)]


@pytest.mark.parametrize("pause", [timedelta(), timedelta(seconds=59), timedelta(days=40)])
async def test_going_to_and_fro_between_two_links_pays_once(
    database: Database, pause: timedelta
) -> None:
    """Two friends and a browser would be paid without end."""
    shop, (one, _) = await a_shop_with_friends(database)
    for _ in range(4):
        for friend in ("one", "other"):
            await shop.arrive("visitor", referrer=friend)
            await shop.work()
            shop.flows.clock.advance(pause)

    assert len(await events_of(shop)) == 1
    assert await paid(shop) == [one]
    await assert_books_balance(database)


async def test_a_referral_is_about_its_own_link(database: Database) -> None:
    """Of two links in one instant one would be paid for the other, or twice."""
    shop, (one, other) = await a_shop_with_friends(database, delay=timedelta(hours=1))
    await shop.arrive("visitor", referrer="one")
    await shop.arrive("visitor", referrer="other")
    await shop.arrive("second visitor", referrer="other")
    await shop.arrive("second visitor", referrer="one")
    # Another one is in force by the time that it is decided.
    shop.flows.clock.advance(timedelta(hours=1))

    await shop.work()

    assert sorted(await paid(shop), key=str) == sorted([one, other], key=str)
    await assert_books_balance(database)


async def test_a_second_link_after_the_first_was_decided_fires_nothing(database: Database) -> None:
    """A person is brought to a shop once, however long that was ago."""
    shop, (one, _) = await a_shop_with_friends(database)
    await shop.arrive("visitor", referrer="one")
    await shop.work()
    shop.flows.clock.advance(timedelta(days=400))
    await shop.arrive("visitor", referrer="other")
    await shop.work()

    assert await count_of(shop, "referral_link") == 2
    assert await paid(shop) == [one]


async def test_links_at_once_fire_once(real_database: Database) -> None:
    """Two servers would each find that nobody had brought this visitor."""
    shop, _ = await a_shop_with_friends(real_database)
    visitors = [f"visitor {number}" for number in range(10)]
    for visitor in visitors:
        await at_once(
            *(
                partial(shop.arrive, visitor, referrer=friend)
                for friend in ("one", "other", "one", "other")
            )
        )
    await shop.work()

    assert len(await events_of(shop)) == len(await paid(shop)) == len(visitors)
    await assert_books_balance(real_database)

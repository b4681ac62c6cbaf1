"""A published campaign changes: what happened before is held against what was promised then."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from domains.campaign.errors import BudgetMissingError, VersionsFullError
from domains.campaign.model import Asset, Campaign, RewardUnits, Tiles
from domains.campaign.model.editing import VERSIONS_MAX
from infrastructure.database.engine import database_of
from infrastructure.database.transaction import Database
from tests.support.books import amounts_of, assert_books_balance, explain, windows_of
from tests.support.flows import NOON
from tests.support.rules import Limit, a_campaign, fixed, item_of, percent
from tests.support.shop import Shop, a_shop
from vocabulary.problems import Problems

AN_HOUR = timedelta(hours=1)
A_DAY = Tiles(duration=timedelta(days=1))


async def edit(shop: Shop, *, campaign: str = "welcome", **changes: Any) -> Campaign:
    """Changes a campaign, now. `limits` stand for a budget."""
    campaign_id = shop.campaign_ids[campaign]

    def changes_in(units: RewardUnits, _: Problems) -> dict[str, Any]:
        limits = changes.pop("limits", None)
        if limits is not None:
            changes["budget"] = tuple(item_of(each, campaign_id, units) for each in limits)
        return changes

    async with shop.database.transaction() as tx:
        return await shop.flows.campaigns.update(
            tx,
            shop.merchant_id,
            campaign_id,
            changes_in,
            validate_only=False,
            clock=lambda: shop.flows.clock.now,
        )


async def a_day_later(shop: Shop) -> None:
    shop.flows.clock.advance(timedelta(days=1))


async def versions_of(shop: Shop, *orders: str) -> list[int]:
    """Which version decided on each order."""
    found = []
    for order in orders:
        (decision,) = (await explain(shop, f"purchase:{order}")).decisions
        found.append(decision.rule_version)
    return found


async def test_an_order_is_held_against_the_rule_of_its_time(database: Database) -> None:
    """A merchant would take back what was promised, or pay for what was not."""
    shop = await a_shop(database, a_campaign(amount=fixed("1")))
    await shop.buy("ann", "A-1", ordered=shop.flows.clock.now)
    await a_day_later(shop)
    changed = shop.flows.clock.now

    await edit(shop, rule=a_campaign(amount=fixed("5")).rule)
    await shop.buy("ben", "B-1", ordered=changed - AN_HOUR)
    await shop.buy("cyd", "C-1", ordered=changed)
    await shop.work()

    assert await versions_of(shop, "A-1", "B-1", "C-1") == [1, 1, 2]
    assert sorted(amount for _, amount in await amounts_of(shop)) == [
        1_000_000,
        1_000_000,
        5_000_000,
    ]
    await assert_books_balance(database)


async def test_each_of_several_versions_is_for_its_time(database: Database) -> None:
    """The newest of the earlier versions would be for all that happened before."""
    shop = await a_shop(database, a_campaign(amount=fixed("1")))
    times = [shop.flows.clock.now]
    for amount in ("2", "3", "4"):
        await a_day_later(shop)
        await edit(shop, rule=a_campaign(amount=fixed(amount)).rule)
        times.append(shop.flows.clock.now)
    await a_day_later(shop)

    for number, time in enumerate(times):
        await shop.buy(f"buyer {number}", f"O-{number}", ordered=time + AN_HOUR)
    await shop.buy("of old", "O-4", ordered=times[0] - timedelta(days=1))
    await shop.work()

    assert await versions_of(shop, *(f"O-{number}" for number in range(5))) == [1, 2, 3, 4, 1]
    await assert_books_balance(database)


async def test_a_limit_that_moves_counts_what_is_used(database: Database) -> None:
    """A new limit would forget what was paid, and the shop pay both."""
    shop = await a_shop(database, a_campaign(amount=fixed("1"), limits=(Limit(amount="3"),)))
    for number in range(3):
        await shop.buy(f"buyer {number}", f"A-{number}")
    await shop.work()
    await a_day_later(shop)

    await edit(shop, limits=[Limit(amount="4")])
    await shop.buy("more", "B-1")
    await shop.buy("too many", "B-2")
    await shop.work()
    lowered = await edit(shop, limits=[Limit(amount="2")])
    await shop.buy("late", "C-1")
    await shop.work()

    assert lowered.rule_version == 3
    assert len(await amounts_of(shop)) == 4
    (window,) = await windows_of(shop, "welcome")
    assert (window.used, window.refused_count) == (4_000_000, 2)
    await assert_books_balance(database)


async def test_an_item_that_comes_is_for_what_happens_from_then_on(database: Database) -> None:
    """An order of before would be refused by a limit that was not there."""
    shop = await a_shop(database, a_campaign(amount=fixed("2"), limits=(Limit(amount="100"),)))
    await shop.buy("before", "A-1", ordered=shop.flows.clock.now)
    await a_day_later(shop)

    await edit(shop, limits=[Limit(amount="100"), Limit(amount="1", label="new")])
    await shop.buy("after", "B-1", ordered=shop.flows.clock.now)
    await shop.work()

    assert await versions_of(shop, "A-1", "B-1") == [1, 2]
    assert len(await amounts_of(shop)) == 1, "the second order's reward is above the new limit"
    await assert_books_balance(database)


async def test_an_item_that_is_gone_gives_back_what_it_gave(database: Database) -> None:
    """A refund would fail, or the books disagree for good."""
    limits = (Limit(amount="10"), Limit(amount="10", label="daily", window=A_DAY))
    shop = await a_shop(database, a_campaign(amount=fixed("2"), limits=limits))
    await shop.buy("before", "A-1")
    await shop.work()
    await a_day_later(shop)
    await edit(shop, limits=[Limit(amount="10")])
    await shop.buy("after", "B-1")
    await shop.work()
    await assert_books_balance(database)

    await shop.report("A-1", "refunded")
    await shop.work()

    assert [window.used for window in await windows_of(shop, "welcome")] == [2_000_000]
    await assert_books_balance(database)


async def test_an_item_of_the_same_label_and_another_window_is_another_one(
    database: Database,
) -> None:
    """Its windows would not be those that were charged."""
    shop = await a_shop(database, a_campaign(amount=fixed("2"), limits=(Limit(amount="3"),)))
    await shop.buy("before", "A-1")
    await shop.work()
    await a_day_later(shop)

    changed = await edit(shop, limits=[Limit(amount="3", window=A_DAY)])
    await shop.buy("after", "B-1")
    await shop.work()

    assert len(await amounts_of(shop)) == 2
    (old,) = changed.retired
    (new,) = changed.budget
    assert old.budget_item_id != new.budget_item_id
    await assert_books_balance(database)


async def test_a_new_asset_needs_its_budget(database: Database) -> None:
    """A published campaign would pay it without a limit."""
    shop = await a_shop(database, a_campaign(amount=fixed("2"), limits=(Limit(amount="3"),)))
    rule = a_campaign(amount=fixed("2")).rule
    points = replace(rule, rewards=(*rule.rewards, replace(rule.rewards[0], asset=Asset.POINTS)))

    with pytest.raises(BudgetMissingError):
        await edit(shop, rule=points)


async def test_versions_are_bounded(database: Database) -> None:
    """A merchant would choose what reading its campaigns costs."""
    shop = await a_shop(database, a_campaign(amount=fixed("1")))
    for number in range(2, VERSIONS_MAX + 1):
        await edit(shop, rule=a_campaign(amount=fixed(str(number))).rule)

    with pytest.raises(VersionsFullError):
        await edit(shop, rule=a_campaign(amount=fixed("1")).rule)
    assert (await edit(shop, name="still")).rule_version == VERSIONS_MAX


async def test_a_change_waits_for_whoever_decides(engine: AsyncEngine) -> None:
    """A version would begin before something that is decided without it. Needs two connections."""
    database = database_of(engine)
    shop = await a_shop(database, a_campaign(amount=fixed("1")))
    is_held = asyncio.Event()

    async def change() -> Campaign:
        await is_held.wait()
        return await edit(shop, rule=a_campaign(amount=percent("2")).rule)

    changing = asyncio.create_task(change())
    async with shop.database.transaction() as tx:
        await shop.flows.campaigns.list_paying(tx, shop.merchant_id, first_time=NOON)
        is_held.set()
        await asyncio.sleep(0.2)
        assert not changing.done()
        shop.flows.clock.advance(AN_HOUR)
        until = shop.flows.clock.now
    changed = await changing

    assert changed.version_time == until


async def test_a_list_waits_for_nobody(engine: AsyncEngine) -> None:
    """Whoever looks at a shop without campaigns would wait for whoever changes the shop."""
    database = database_of(engine)
    shop = await a_shop(database)
    is_held, is_read = asyncio.Event(), asyncio.Event()

    async def hold() -> None:
        async with database.transaction() as tx:
            await tx.execute(
                text("SELECT FROM merchant WHERE merchant_id = :merchant_id FOR NO KEY UPDATE"),
                {"merchant_id": shop.merchant_id},
            )
            is_held.set()
            await is_read.wait()

    holding = asyncio.create_task(hold())
    await is_held.wait()
    try:
        async with asyncio.timeout(2), database.single() as tx:
            found = await shop.flows.campaigns.list_of_merchant(
                tx, shop.merchant_id, after=None, limit=1
            )
    finally:
        is_read.set()
        await holding
    assert found == []

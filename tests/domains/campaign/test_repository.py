"""Campaigns on PostgreSQL."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from itertools import product
from uuid import UUID, uuid4

import pytest
from hypothesis import given, settings
from sqlalchemy.exc import IntegrityError

from domains.campaign.model import (
    Asset,
    CalendarMonths,
    Campaign,
    CampaignState,
    Rule,
    Tiles,
)
from domains.campaign.repository import CampaignRepository
from infrastructure.database.transaction import Database
from tests.support.campaign import (
    PUBLISHED,
    a_campaign,
    a_definition,
    a_rule,
    an_item,
    rules,
)
from tests.support.races import beside, until_awaited
from vocabulary.amounts import BASE_UNITS_MAX
from vocabulary.ids import CampaignId, MerchantId

SHOP = MerchantId(uuid4())

repository = CampaignRepository()


async def added(database: Database, *campaigns: Campaign) -> None:
    async with database.transaction() as tx:
        for campaign in campaigns:
            await repository.add(tx, campaign)


@pytest.mark.parametrize(
    "campaign",
    [
        a_campaign(state=CampaignState.DRAFT, unlimited=frozenset()),
        a_campaign(state=CampaignState.ARCHIVED, name="Été, 夏", priority=-1_000_000),
        a_campaign(
            start_time=PUBLISHED - timedelta(days=1000),
            expire_time=PUBLISHED + timedelta(microseconds=1),
            unlimited=frozenset({Asset.POINTS}),
        ),
        a_campaign(
            budget=[
                an_item(BASE_UNITS_MAX, label="z"),
                an_item(1, label="a", window=Tiles(duration=timedelta(minutes=1))),
                an_item(label="b", window=Tiles(duration=timedelta(days=3650))),
                an_item(label="c", window=Tiles(duration=timedelta(seconds=90, microseconds=1))),
                an_item(label="d", window=CalendarMonths(time_zone="Europe/Paris")),
                an_item(label="e", asset=Asset.POINTS),
            ]
        ),
    ],
)
async def test_a_campaign_is_read_as_it_was_added(database: Database, campaign: Campaign) -> None:
    """A merchant's limit, window or time would become another one."""
    await added(database, campaign)
    async with database.transaction() as tx:
        for for_update in (False, True):
            found = await repository.find(
                tx, campaign.merchant_id, campaign.campaign_id, for_update=for_update
            )
            assert found == campaign


async def test_any_rule_is_read_as_it_was_added(database: Database) -> None:
    """Some rule would be one thing in memory and another thing in the table."""
    campaigns: list[Campaign] = []

    @settings(max_examples=40)
    @given(rules())
    def collect(rule: Rule) -> None:
        campaigns.append(a_campaign(rule, merchant_id=SHOP))

    collect()
    await added(database, *campaigns)
    async with database.transaction() as tx:
        found = await repository.list_of_merchant(tx, SHOP, after=None, limit=len(campaigns))

    assert {each.campaign_id: each for each in found} == {
        each.campaign_id: each for each in campaigns
    }


async def test_somebody_else_s_campaign_is_not_found(database: Database) -> None:
    """An id would reveal, or change, another merchant's campaign."""
    campaign = a_campaign()
    await added(database, campaign)
    async with database.transaction() as tx:
        assert await repository.find(tx, SHOP, campaign.campaign_id) is None
        assert await repository.find(tx, campaign.merchant_id, CampaignId(uuid4())) is None


def in_order(*keys: tuple[int, int], state: CampaignState = CampaignState.ACTIVE) -> list[Campaign]:
    """A shop's campaigns with these priorities and ids."""
    return [
        a_campaign(
            merchant_id=SHOP,
            priority=priority,
            campaign_id=CampaignId(UUID(int=number)),
            state=state,
        )
        for priority, number in keys
    ]


async def test_campaigns_come_in_the_order_in_which_they_are_asked(database: Database) -> None:
    """A page would skip campaigns, repeat them, or show another merchant's; and budgets would
    be used up in another order than the one that merchants see.
    """
    expected = in_order((1_000_000, 5), (7, 2), (7, 9), (0, 1), (-3, 4), (-3, 8))
    await added(database, *sorted(expected, key=lambda each: each.campaign_id), a_campaign())
    async with database.transaction() as tx:
        for start, limit in product(range(len(expected)), (1, 9)):
            last = expected[start - 1] if start else None
            page = await repository.list_of_merchant(
                tx,
                SHOP,
                after=(last.priority, last.campaign_id) if last else None,
                limit=limit,
            )
            assert page == expected[start : start + limit]


async def test_events_are_held_against_published_campaigns_in_order(database: Database) -> None:
    """A draft would pay, a paused campaign leave no record, or priorities count for nothing."""
    first, second = in_order((5, 2), (1, 7))
    paused = replace(in_order((3, 9))[0], state=CampaignState.PAUSED)
    silent = [
        *in_order((4, 1), state=CampaignState.DRAFT),
        *in_order((4, 3), state=CampaignState.ARCHIVED),
        a_campaign(),
    ]
    await added(database, second, *silent, paused, first)
    async with database.transaction() as tx:
        assert await repository.list_paying(tx, SHOP) == [first, paused, second]


async def test_only_state_and_times_change(database: Database) -> None:
    """A change of state would touch another campaign, or what was promised."""
    campaign, other = (a_campaign(state=CampaignState.DRAFT, merchant_id=SHOP) for _ in range(2))
    await added(database, campaign, other)
    later = PUBLISHED + timedelta(days=1)
    async with database.transaction() as tx:
        await repository.set_state(tx, campaign.publish(later))

        found = await repository.list_of_merchant(tx, SHOP, after=None, limit=9)

    assert {each.campaign_id: each for each in found} == {
        campaign.campaign_id: replace(
            campaign, state=CampaignState.ACTIVE, publish_time=later, update_time=later
        ),
        other.campaign_id: other,
    }


@pytest.mark.parametrize(
    ("wrong", "constraint"),
    [
        (
            a_campaign(rule=a_rule(a_definition()), start_time=PUBLISHED, expire_time=PUBLISHED),
            "expires_after_its_start",
        ),
        (a_campaign(budget=[an_item(), an_item(asset=Asset.POINTS)]), "uq_budget_item_label"),
        (a_campaign(budget=[an_item(0)]), "limit_positive"),
    ],
)
async def test_the_table_refuses_what_was_not_checked(
    database: Database, wrong: Campaign, constraint: str
) -> None:
    """A mistake in the code would make a campaign that ends before it begins."""
    with pytest.raises(IntegrityError, match=constraint):
        await added(database, wrong)


async def test_a_campaign_that_is_asked_does_not_change_until_its_decisions_stand(
    real_database: Database,
) -> None:
    """A merchant would pause a campaign, see it paused, and be charged afterwards."""
    campaign = a_campaign(merchant_id=SHOP)
    await added(real_database, campaign)

    async def pause() -> None:
        async with real_database.transaction() as tx:
            found = await repository.find(tx, SHOP, campaign.campaign_id, for_update=True)
            assert found == campaign
            await repository.set_state(tx, campaign.pause(PUBLISHED))

    async with real_database.transaction() as tx:
        assert await repository.list_paying(tx, SHOP) == [campaign]
        pausing = beside(pause())
        await until_awaited(tx)
        assert await repository.list_paying(tx, SHOP) == [campaign]
    await pausing

    async with real_database.single() as tx:
        (found,) = await repository.list_paying(tx, SHOP)
    assert found.state is CampaignState.PAUSED


async def test_campaigns_are_asked_by_several_workers_at_once(real_database: Database) -> None:
    """Merchants' rewards would be decided one after the other."""
    campaign = a_campaign(merchant_id=SHOP)
    await added(real_database, campaign)
    both_ask = asyncio.Barrier(2)

    async def ask() -> Sequence[Campaign]:
        async with real_database.transaction() as tx:
            found = await repository.list_paying(tx, SHOP)
            await both_ask.wait()  # never reached if one has to wait for the other
            return found

    async with asyncio.timeout(5):
        one, other = await asyncio.gather(ask(), ask())
    assert one == other == [campaign]

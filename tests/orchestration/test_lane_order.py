"""A turn that fails changes nobody's place: who gets the last of a budget stays the same."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import text

from infrastructure.database.transaction import Database
from tests.support.books import amounts_of
from tests.support.flows import NOON, flows_on
from tests.support.rules import Limit, a_campaign
from tests.support.shop import a_shop
from tests.support.triggers import FAIL, a_trigger

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
# More than a batch has, and a budget for as many.
MANY, PAID = 210, 200
_BREAK = """
    UPDATE campaign_rule_version SET rule = jsonb_set(rule, '{was}', rule) - 'rewards'
"""
_POISON = """
    IF NEW.order_reference = 'A-1' AND NEW.state = 'decided' THEN
        RAISE EXCEPTION 'a fault';
    END IF;
"""
_MEND = "UPDATE campaign_rule_version SET rule = rule -> 'was'"


@pytest.mark.parametrize("fails", [False, True])
async def test_a_turn_that_fails_does_not_change_who_earns(database: Database, fails: bool) -> None:
    """Orders behind a batch that failed would use up the budget before it is tried again."""
    shop = await a_shop(flows_on(database, batch_size=2), a_campaign(limits=(Limit(amount="2"),)))
    for number in range(4):
        await shop.report(
            f"A-{number}", clientId=f"buyer {number}", ordered=NOON - MINUTE + number * SECOND
        )
    if fails:
        async with a_trigger(database, "reward", "INSERT", FAIL):
            await shop.look()
        shop.flows.clock.advance(MINUTE)
    await shop.work()

    assert [event for event, _ in await amounts_of(shop)] == ["purchase:A-0", "purchase:A-1"]


@pytest.mark.parametrize("fails", [False, True])
async def test_campaigns_that_cannot_be_read_for_a_moment_do_not_change_who_earns(
    database: Database, fails: bool
) -> None:
    """The first two hundred orders of a shop would be refused for want of a budget."""
    shop = await a_shop(database, a_campaign(limits=(Limit(amount=str(PAID)),)))
    for number in range(MANY):
        await shop.report(f"A-{number:03}", clientId="buyer", ordered=NOON - HOUR + number * SECOND)
    if fails:
        async with database.transaction() as tx:
            await tx.execute(text(_BREAK))
        await shop.look()
        async with database.transaction() as tx:
            await tx.execute(text(_MEND))
        shop.flows.clock.advance(MINUTE)
    await shop.work()

    paid = [event for event, _ in await amounts_of(shop)]
    assert paid == [f"purchase:A-{number:03}" for number in range(PAID)]


async def test_what_comes_while_a_lane_rests_is_tried_with_what_failed(database: Database) -> None:
    """One that fails alone would fail alone for ever, and nothing behind it be paid."""
    shop = await a_shop(database, a_campaign())
    await shop.report("A-1", clientId="buyer")
    async with a_trigger(database, "interaction", "UPDATE", _POISON):
        await shop.look()
        await shop.report("B-1", clientId="buyer")
        shop.flows.clock.advance(MINUTE)
        await shop.look()

        assert [event for event, _ in await amounts_of(shop)] == ["purchase:B-1"]

"""A merchant whose rules take long to be held against events."""

from __future__ import annotations

import asyncio

from domains.campaign.model import Condition, ConditionGroup, Operator
from infrastructure.database.transaction import Database
from tests.support.books import states_of
from tests.support.rules import a_campaign
from tests.support.shop import a_shop

BEAT_SECONDS = 0.02
LATE_SECONDS_MAX = 0.5
CAMPAIGNS, GROUPS, CONDITIONS, LISTED = 12, 4, 49, 25
ORDERS = 40
LINE = {"productId": "mug", "quantity": 1, "price": "1.00"}


async def test_whoever_lists_much_does_not_stop_the_others(real_database: Database) -> None:
    """All merchants' transactions wait on one thread, and PostgreSQL ends those that are idle."""
    listed = tuple(f"product {number}" for number in range(LISTED))
    question = Condition(field="purchase.items.0.productId", operator=Operator.NOT_IN, value=listed)
    group = ConditionGroup(members=(question,) * CONDITIONS)
    campaign = a_campaign(when=ConditionGroup(members=(group,) * GROUPS))
    shop = await a_shop(real_database, *[campaign] * CAMPAIGNS)
    for number in range(ORDERS):
        await shop.report(f"A-{number}", clientId="buyer", items=[LINE])
    late = 0.0

    async def beat() -> None:
        nonlocal late
        clock = asyncio.get_running_loop().time
        while True:
            before = clock()
            await asyncio.sleep(BEAT_SECONDS)
            late = max(late, clock() - before - BEAT_SECONDS)

    beating = asyncio.create_task(beat())
    await shop.work()
    beating.cancel()

    assert late < LATE_SECONDS_MAX
    assert len(await states_of(shop)) == ORDERS

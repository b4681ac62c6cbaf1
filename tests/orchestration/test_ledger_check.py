"""The check of the books sees what could go wrong with them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from domains.campaign.model import Recipient, Trigger
from infrastructure.database.transaction import Database
from orchestration.queries.ledger_check import INVARIANTS
from tests.support.books import read
from tests.support.flows import Clock, flows_on
from tests.support.rules import Limit, a_campaign, chained, percent
from tests.support.shop import Shop, a_shop

TODAY = datetime.now(UTC).replace(microsecond=0)

CORRUPTIONS = {
    "balances sum to zero for each merchant and unit": (
        "UPDATE account SET balance = balance + 1 WHERE kind = 'recipient_pending'",
    ),
    "every balance is what its transfers make it": (
        "UPDATE account SET balance = balance + 1 WHERE kind = 'recipient_pending'",
    ),
    "pending balances are the sums of pending rewards": (
        "UPDATE account SET balance = balance + 1 WHERE kind = 'recipient_pending'",
    ),
    "what a campaign granted is what its rewards are": (
        "UPDATE account SET balance = balance - 1 WHERE kind = 'campaign_granted'",
    ),
    "every reward is what was granted less what was taken back": (
        "UPDATE reward SET target_base_units = target_base_units - 1 WHERE state = 'pending'",
    ),
    "a pending reward is owed as it was granted": (
        "UPDATE reward SET target_base_units = target_base_units - 1 WHERE state = 'pending'",
    ),
    "every budget window used what was charged less what was given back": (
        "UPDATE budget_window SET used_base_units = used_base_units + 1",
    ),
    "no budget window is above the highest limit that it had": (
        "UPDATE budget_item SET limit_base_units = 1, limit_ever_base_units = 1",
    ),
    "nothing is given back to a budget that was not taken": (
        "DELETE FROM budget_entry WHERE kind = 'consume'",
    ),
    "every reward took its amount from every budget item of its unit, once": (
        "DELETE FROM budget_entry",
        "UPDATE budget_window SET used_base_units = 0",
    ),
    "every confirmed order of a known buyer has its interaction, and no other one": (
        "UPDATE interaction SET generation = 2 WHERE order_reference = 'kept'",
    ),
    "every order is decided for its own buyer, at its own time": (
        "UPDATE shop_order SET fixed_group_id = uuidv7() WHERE order_reference = 'kept'",
    ),
    "what is decided is fixed in its order": (
        """
        UPDATE shop_order SET decided_generation = 0, fixed_group_id = NULL, fixed_link = NULL,
            fixed_report_time = NULL
        WHERE order_reference = 'kept'
        """,
    ),
    "no order is fixed that no lane is about to decide": (
        "UPDATE shop_order SET fixed_generation = 1 WHERE order_reference = 'kept'",
    ),
    "what is not decided is due at some time, or taken back": (
        """
        UPDATE interaction SET state = 'pending', decide_time = NULL
        WHERE order_reference = 'kept'
        """,
    ),
    "every reward of an order is of the order's time and window": (
        """
        UPDATE shop_order SET order_time = order_time - interval '1 hour'
        WHERE order_reference = 'kept'
        """,
    ),
    "nobody has two referrers at one time": (
        """
        INSERT INTO referral_link (merchant_id, referral_link_id, referrer_group_id,
                                   referee_group_id, start_time, end_time, end_reason, create_time)
        SELECT merchant_id, uuidv7(), uuidv7(), referee_group_id, start_time,
               start_time + interval '1 day', 'replaced', create_time FROM referral_link
        """,
    ),
    "every granted decision has its rewards, and no other one has any": (
        "UPDATE decision SET outcome = 'not_matched'",
    ),
    "nothing that was taken back is still owed": (
        """
        INSERT INTO reversal (reversal_id, merchant_id, order_reference, generation, create_time,
                              drain_time)
        SELECT uuidv7(), merchant_id, order_reference, generation, now(), now() FROM interaction
        WHERE order_reference = 'kept'
        """,
    ),
    "an order earns in one of its lives at a time": (
        """
        UPDATE reward SET purchase_id = (SELECT purchase_id FROM shop_order
                                         WHERE order_reference = 'kept')
        WHERE state = 'pending'
        """,
    ),
    "no life of an order is decided before those before it are taken back": (
        "UPDATE interaction SET generation = 2 WHERE order_reference = 'kept'",
        """
        INSERT INTO reversal (reversal_id, merchant_id, order_reference, generation, create_time,
                              drain_time, sequence)
        SELECT uuidv7(), interaction.merchant_id, order_reference, 1, now(), now(), sequence + 1
        FROM interaction JOIN decision USING (interaction_id) WHERE order_reference = 'kept'
        """,
    ),
    "nobody is rewarded for having brought themselves": (
        """
        UPDATE reward SET identity_group_id = CAST(facts ->> 'person' AS uuid) FROM interaction
        WHERE interaction.interaction_id = reward.interaction_id AND role = 'referrer'
        """,
    ),
    "a campaign decides on an event once": (
        """
        INSERT INTO decision SELECT interaction_id, campaign_id, decide_time + interval '1 second',
               merchant_id, sequence, rule_version, outcome, details FROM decision
        """,
    ),
    "every reward of the last year has its decision": ("DELETE FROM decision",),
}
# By the least that there is, and from the other side.
SLIGHT_CORRUPTIONS = (
    (
        "balances sum to zero for each merchant and unit",
        "UPDATE account SET balance = balance - 1 WHERE kind = 'campaign_granted'",
    ),
    (
        "no budget window is above the highest limit that it had",
        """
        UPDATE budget_item SET (limit_base_units, limit_ever_base_units) = (
            SELECT max(used_base_units) - 1, max(used_base_units) - 1 FROM budget_window)
        """,
    ),
    (
        "every order is decided for its own buyer, at its own time",
        """
        UPDATE shop_order SET order_time = order_time + interval '1 microsecond'
        WHERE order_reference = 'kept'
        """,
    ),
    (
        "every reward of an order is of the order's time and window",
        "UPDATE budget_window SET end_time = (SELECT max(event_time) FROM reward)",
    ),
)
# The database itself does not let these happen.
IMPOSSIBLE = {
    "campaigns are never funded, people never owe",
    "nobody is their own referrer",
    "a person is brought to a merchant once",
}


async def a_shop_with_history(database: Database) -> Shop:
    """Orders that were kept and one that was taken back, paid along a chain from a budget."""
    shop = await a_shop(
        flows_on(database, clock=Clock(TODAY)),
        a_campaign(
            amount=percent("10"),
            to=Recipient.REFERRER,
            trigger=Trigger.REFERRAL_PURCHASE,
            chaining=chained("20", "50"),
            limits=(Limit(amount="1000"),),
        ),
    )
    await shop.arrive("friend")
    await shop.arrive("buyer", referrer="friend")
    for order in ("kept", "kept too", "returned"):
        await shop.buy("buyer", order)
    shop.flows.clock.advance(timedelta(minutes=5))
    await shop.work()
    await shop.report("returned", "refunded")
    await shop.work()
    return shop


async def broken(database: Database) -> set[str]:
    """The names of the invariants that do not hold."""
    return {
        invariant.name
        for invariant in INVARIANTS
        if await read(database, f"SELECT * FROM ({invariant.violations}) AS broken")
    }


@pytest.mark.parametrize(("name", "statement"), SLIGHT_CORRUPTIONS)
async def test_what_is_wrong_by_the_least_is_seen(
    database: Database, name: str, statement: str
) -> None:
    """A fault that loses a base unit at a time would be found when it is a fortune."""
    await a_shop_with_history(database)

    async with database.transaction() as tx:
        await tx.execute(text(statement))

    assert name in await broken(database)


@pytest.mark.parametrize("name", CORRUPTIONS)
async def test_what_is_wrong_with_the_books_is_seen(database: Database, name: str) -> None:
    """Money could appear or vanish, and an operator would read that the books agree."""
    await a_shop_with_history(database)
    assert await broken(database) == set()

    async with database.transaction() as tx:
        for statement in CORRUPTIONS[name]:
            await tx.execute(text(statement))

    assert name in await broken(database)


def test_every_invariant_has_been_broken_once() -> None:
    """One that holds whatever happens says nothing."""
    assert {each.name for each in INVARIANTS} == CORRUPTIONS.keys() | IMPOSSIBLE

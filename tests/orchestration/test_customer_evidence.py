"""Whose a customer is does not depend on a worker in the middle, on hosts and on tries."""

from __future__ import annotations

import asyncio
import secrets
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from infrastructure.database.transaction import Database
from orchestration.lane.flow.setbacks import LaneSetbacks
from orchestration.purchase_webhook.errors import DeliveryPostponedError
from tests.orchestration.test_lane_rests import hold, hold_before_the_decision
from tests.orchestration.test_lane_rounds import lane_row, prepared
from tests.support.books import deliveries_of, order_of, rewards_of
from tests.support.connections import MAKE_BROWSER, holding
from tests.support.flows import NOON, Flows, flows_on
from tests.support.rules import a_campaign
from tests.support.shop import Shop, a_shop
from tests.support.triggers import FAIL, a_trigger
from vocabulary.ids import IdentityGroupId

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
OF_A1 = "IF NEW.order_reference = 'A-1' THEN RAISE EXCEPTION 'a fault'; END IF;"
LOCK = "SELECT 1 FROM shop_order WHERE order_reference = 'A-1' FOR NO KEY UPDATE"


async def persons_of(shop: Shop, *clients: str) -> dict[str, str]:
    """Who was rewarded for which order, by the names of browsers."""
    names = {(await shop.arrive(each)).identity_group_id: each for each in clients}
    return {each.event: names[IdentityGroupId(each.person)] for each in await rewards_of(shop)}


async def assert_proof_counts_for_the_next_order(shop: Shop, *, is_held: bool = False) -> None:
    """The buyer shows the token of A-1, which was hinted to be another one's, and orders again."""
    shop.flows.clock.advance(SECOND)
    await shop.claim("buyer", "A-1")
    shop.flows.clock.advance(SECOND)
    await shop.report("A-2", customerId="c-1")
    if is_held:
        await hold(shop, held=False)
    shop.flows.clock.advance(HOUR)
    await shop.work()

    assert await persons_of(shop, "hinted", "buyer") == {
        "purchase:A-1": "buyer",
        "purchase:A-2": "buyer",
    }


@pytest.mark.parametrize("worker_dies", [False, True])
async def test_a_customer_is_whose_proof_was_heard_although_a_worker_died(
    database: Database, *, worker_dies: bool
) -> None:
    """The next order would pay whom a fix named that nobody decided by."""
    shop = await a_shop(database, a_campaign())
    await shop.report("A-1", clientId="hinted", customerId="c-1")
    if worker_dies:
        await prepared(shop)

    await assert_proof_counts_for_the_next_order(shop)


@pytest.mark.parametrize("worker_dies", [False, True])
async def test_a_customer_is_known_by_proof_although_a_worker_died(
    database: Database, *, worker_dies: bool
) -> None:
    """The buyer would never be paid: the order was a guess when a worker that died fixed it."""
    shop = await a_shop(database, a_campaign())
    await shop.report("A-0", clientId="friend", customerId="c-1")
    await shop.work()
    await shop.report("A-1", customerId="c-1")
    if worker_dies:
        await prepared(shop)
    shop.flows.clock.advance(SECOND)
    await shop.report("A-1", customerId="c-2", ordered=NOON)
    await shop.claim("buyer", "A-1")
    shop.flows.clock.advance(SECOND)
    await shop.report("B-1", customerId="c-2")
    shop.flows.clock.advance(HOUR)
    await shop.work()

    assert await persons_of(shop, "friend", "buyer") == {
        "purchase:A-0": "friend",
        "purchase:A-1": "buyer",
        "purchase:B-1": "buyer",
    }


@pytest.mark.parametrize("is_being_written", [False, True])
async def test_a_customer_is_whose_proof_was_heard_while_the_lane_rests(
    engine: AsyncEngine, real_database: Database, *, is_being_written: bool
) -> None:
    """A turn that failed while somebody wrote the order would hand the next one to a stranger."""
    shop = await a_shop(real_database, a_campaign())
    await shop.report("A-1", clientId="hinted", customerId="c-1")
    open_again = LaneSetbacks.open_again

    async def while_written(self: LaneSetbacks, *args: Any) -> None:
        async with holding(engine, LOCK):
            await open_again(self, *args)

    with pytest.MonkeyPatch.context() as patched:
        if is_being_written:
            patched.setattr(LaneSetbacks, "open_again", while_written)
        async with a_trigger(real_database, "reward", "INSERT", FAIL):
            await shop.look()
    assert (await lane_row(shop)).failure_count == 1

    await assert_proof_counts_for_the_next_order(shop)


@pytest.mark.parametrize("is_held", [False, True])
async def test_a_customer_is_whose_proof_was_heard_while_the_lane_is_held(
    database: Database, *, is_held: bool
) -> None:
    """An operator who stops a lane would hand orders to strangers."""
    shop = await a_shop(database, a_campaign())
    await shop.report("A-1", clientId="hinted", customerId="c-1")
    if is_held:
        await hold_before_the_decision(shop)

    await assert_proof_counts_for_the_next_order(shop, is_held=is_held)


async def assert_the_account_is_the_owner_s(shop: Shop) -> None:
    """A-1 was the owner's, A-2 on the same account a friend's: whose is the next one?"""
    await shop.report("A-3", customerId="c-1")
    shop.flows.clock.advance(2 * HOUR)
    await shop.work()

    assert await persons_of(shop, "owner", "friend") == {
        "purchase:A-1": "owner",
        "purchase:A-2": "friend",
        "purchase:A-3": "owner",
    }


def with_host_clock(flows: Flows, slow_by: timedelta) -> Flows:
    """A process whose host's own clock is slow. Its `clock` is the database's (0008)."""

    def new_id() -> UUID:
        instant = flows.clock.now - slow_by
        milliseconds = int(instant.timestamp() * 1000)
        # The layout of `TimedIds`, of the host's clock.
        return UUID(int=milliseconds << 80 | 7 << 76 | 2 << 62 | secrets.randbits(62))

    flows.purchase_webhook._new_id = new_id  # noqa: SLF001
    return flows


@pytest.mark.parametrize("slow_by", [timedelta(), 4 * MINUTE])
async def test_which_order_was_first_is_not_told_by_a_hosts_own_clock(
    database: Database, slow_by: timedelta
) -> None:
    """A friend who used the account once would get all that the customer buys later."""
    one = with_host_clock(flows_on(database), timedelta())
    other = with_host_clock(flows_on(database, clock=one.clock), slow_by)
    shop = await a_shop(one, a_campaign(), reward_delay=HOUR)
    await shop.report("A-1", clientId="owner", customerId="c-1")
    shop.flows.clock.advance(MINUTE)
    await shop.on(other).report("A-2", customerId="c-1")
    await shop.claim("friend", "A-2")
    shop.flows.clock.advance(MINUTE)

    await assert_the_account_is_the_owner_s(shop)


async def first_report(shop: Shop, *, fails: bool, **said: Any) -> None:
    """The first report of A-1; a fault of ours may keep it for a later try."""
    if not fails:
        await shop.report("A-1", **said)
    else:
        async with a_trigger(shop.database, "shop_order", "INSERT", OF_A1):
            with pytest.raises(DeliveryPostponedError):
                await shop.report("A-1", **said)
    shop.flows.clock.advance(SECOND)


@pytest.mark.parametrize("is_told_again", [False, True])
@pytest.mark.parametrize("fails", [False, True])
async def test_which_order_was_first_is_not_told_by_when_its_report_could_be_applied(
    database: Database, *, fails: bool, is_told_again: bool
) -> None:
    """A fault of ours would hand all that the customer buys later to a friend of theirs."""
    shop = await a_shop(database, a_campaign(), reward_delay=HOUR)
    await first_report(shop, fails=fails, clientId="owner", customerId="c-1")
    await shop.report("A-2", customerId="c-1")
    await shop.claim("friend", "A-2")
    if is_told_again:
        shop.flows.clock.advance(SECOND)
        await shop.report("A-1", customerId="c-1", ordered=NOON)
    shop.flows.clock.advance(MINUTE)
    await shop.flows.delivery_retries.run()
    assert (await order_of(shop, "A-1")).link == "client"

    await assert_the_account_is_the_owner_s(shop)


@pytest.mark.parametrize("worker_comes_by", [False, True])
async def test_a_claim_waits_for_its_token_although_the_order_is_decided(
    database: Database, *, worker_comes_by: bool
) -> None:
    """Whose the next order is would depend on how soon a worker came."""
    shop = await a_shop(database, a_campaign())
    await shop.report("A-1", clientId="hinted", customerId="c-1", token="one")
    if worker_comes_by:
        await shop.work()
    shop.flows.clock.advance(SECOND)
    await shop.claim("buyer", "A-1", token="two")
    await shop.report("A-1", customerId="c-1", ordered=NOON, token="two")
    shop.flows.clock.advance(SECOND)
    await shop.report("A-2", customerId="c-1")
    await shop.work()

    assert (await persons_of(shop, "hinted", "buyer"))["purchase:A-2"] == "buyer"


@pytest.mark.parametrize("worker_comes_by", [False, True])
async def test_a_claim_that_a_waiting_report_has_not_seen_counts_although_decided(
    engine: AsyncEngine, real_database: Database, *, worker_comes_by: bool
) -> None:
    """The report's token would be known, its claim would not, and nothing would join them."""
    shop = await a_shop(real_database, a_campaign())
    await shop.arrive("buyer")
    await shop.report("A-1", clientId="hinted", customerId="c-1", token="one")
    shop.flows.clock.advance(SECOND)
    async with (
        asyncio.TaskGroup() as group,
        holding(engine, MAKE_BROWSER, merchant_id=shop.merchant_id, client="new") as holder,
    ):
        group.create_task(
            shop.report("A-1", customerId="c-1", clientId="new", ordered=NOON, token="two")
        )
        await holder.until_awaited()
        await shop.claim("buyer", "A-1", token="two")
        if worker_comes_by:
            await shop.look()
            assert (await order_of(shop, "A-1")).decided_generation == 1

    shop.flows.clock.advance(SECOND)
    await shop.report("A-2", customerId="c-1")
    await shop.work()

    assert (await persons_of(shop, "hinted", "new", "buyer"))["purchase:A-2"] == "buyer"


@pytest.mark.parametrize(
    "said",
    [{"token": "two"}, {"clientId": "browser"}],
    ids=["a token", "a browser"],
)
async def test_a_report_that_tells_whose_the_customer_is_is_not_passed_over(
    database: Database, said: dict[str, str]
) -> None:
    """Its delivery would say that it told nothing new."""
    shop = await a_shop(database, a_campaign())
    await shop.report("A-1", customerId="c-1", clientId="hinted" if "token" in said else None)
    await shop.claim("buyer", "A-1")
    await shop.work()

    await shop.report(
        "A-1", ordered=NOON, updated=NOON - SECOND, event_id="older", customerId="c-1", **said
    )

    (older,) = [each for each in await deliveries_of(shop) if each.event_reference == "older"]
    assert older.state == "applied"

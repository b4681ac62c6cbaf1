"""The hot paths at the same time, on real connections."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from functools import partial
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from domains.business.model import AttributionModel
from infrastructure.database.transaction import Database
from orchestration.purchase_webhook.errors import DeliveryPostponedError
from tests.support.books import (
    amounts_of,
    assert_books_balance,
    count_of,
    deliveries_of,
    events_of,
    read,
    rewards_of,
    states_of,
)
from tests.support.connections import MAKE_BROWSER, at_once, holding
from tests.support.deliveries import FAULT
from tests.support.flows import NOON
from tests.support.rules import Limit, a_campaign
from tests.support.shop import a_delivery, a_shop

PAIRS = 2_000
PAIRS_AT_ONCE = 10
SECONDS_MAX = 60
ROUNDS = 20
_MAKE_ORDER = """
    INSERT INTO shop_order (merchant_id, order_reference, create_time)
    VALUES (:merchant_id, 'A-1', now())
"""
_LOCK_ORDER = """
    SELECT 1 FROM shop_order
    WHERE merchant_id = :merchant_id AND order_reference = :order FOR UPDATE
"""


async def test_fifty_arrivals_of_one_browser_are_one_person(real_database: Database) -> None:
    """A page that loads its parts side by side would make a person for each of them."""
    shop = await a_shop(real_database)

    records = await at_once(*[partial(shop.arrive, "browser")] * 50)

    assert len({record.identity_group_id for record in records}) == 1
    # Whoever saw another one's arrival was that one.
    touchpoints = {record.touchpoint_id for record in records}
    assert await count_of(shop, "touchpoint") == len(touchpoints)
    for table in ("identity_node", "identity_group"):
        assert len(await read(real_database, f"SELECT 1 FROM {table}")) == 1


@pytest.mark.parametrize("model", list(AttributionModel))
@pytest.mark.parametrize("known", [True, False])
async def test_of_two_referrers_at_once_one_is_it(
    real_database: Database, known: bool, model: AttributionModel
) -> None:
    """A visitor would have two referrers, both to be paid, or one arrival would fail."""
    shop = await a_shop(real_database, attribution_model=model)
    for friend in ("one", "other"):
        await shop.arrive(friend)
    for number in range(ROUNDS):
        visitor = f"visitor {number}"
        if known:
            await shop.arrive(visitor)
        await at_once(
            partial(shop.arrive, visitor, referrer="one"),
            partial(shop.arrive, visitor, referrer="other"),
        )

    active = await read(
        real_database,
        "SELECT count(*), count(DISTINCT referee_group_id) FROM referral_link "
        "WHERE end_time IS NULL",
    )
    assert [tuple(row) for row in active] == [(ROUNDS, ROUNDS)]
    assert await count_of(shop, "touchpoint") == 2 + ROUNDS * (3 if known else 2)
    # A person is brought once, whoever comes after that.
    assert len(await events_of(shop)) == ROUNDS
    links = {AttributionModel.FIRST_TOUCH: 1, AttributionModel.LAST_TOUCH: 2}[model]
    assert await count_of(shop, "referral_link") == ROUNDS * links


async def test_a_referral_by_whoever_came_second_is_not_forgotten(
    engine: AsyncEngine, real_database: Database
) -> None:
    """Of two first visits at once, one would be taken for a visit without a referrer."""
    shop = await a_shop(real_database, attribution_model=AttributionModel.LAST_TOUCH)
    for friend in ("one", "other"):
        await shop.arrive(friend)

    # Both begin while nobody knows the visitor yet, and wait to make them known.
    async with (
        asyncio.TaskGroup() as group,
        holding(engine, MAKE_BROWSER, merchant_id=shop.merchant_id, client="visitor") as holder,
    ):
        for number, friend in enumerate(("one", "other"), start=1):
            group.create_task(shop.arrive("visitor", referrer=friend))
            await holder.until_awaited(by=number)

    ends = await read(real_database, "SELECT end_time FROM referral_link ORDER BY end_time")
    assert [each.end_time for each in ends] == [NOON, None]


async def test_two_people_cannot_bring_each_other(real_database: Database) -> None:
    """Two links opened at once would close a circle that neither arrival could see."""
    shop = await a_shop(real_database)
    for number in range(ROUNDS):
        one, other = f"one {number}", f"other {number}"
        await shop.arrive(one)
        await shop.arrive(other)
        await at_once(
            partial(shop.arrive, one, referrer=other), partial(shop.arrive, other, referrer=one)
        )

    assert await count_of(shop, "referral_link") == ROUNDS


async def test_four_people_cannot_close_a_circle(real_database: Database) -> None:
    """Locks on the two people of a link alone would let four links make a ring."""
    shop = await a_shop(real_database)
    for number in range(ROUNDS):
        people = [f"person {number}.{each}" for each in range(4)]
        for person in people:
            await shop.arrive(person)
        await at_once(
            *(
                partial(shop.arrive, person, referrer=referrer)
                for person, referrer in zip(people, [*people[1:], people[0]], strict=True)
            )
        )

    assert await count_of(shop, "referral_link") == ROUNDS * 3


@pytest.mark.parametrize("decided_meanwhile", [False, True])
async def test_claim_and_order_of_a_known_customer_agree_on_the_buyer(
    real_database: Database, decided_meanwhile: bool
) -> None:
    """The reward would go to whom the customer was taken for, the order to whoever claimed it."""
    shop = await a_shop(real_database, a_campaign(limits=(Limit(amount="5000"),)))
    await shop.report("first", customerId="c-1")
    known = (await shop.claim("known", "first")).identity_group_id
    # The account is whose first order it is: reports of one instant are told apart by their names.
    shop.flows.clock.advance(timedelta(seconds=1))
    orders = [f"A-{number}" for number in range(PAIRS)]
    waiting = iter(orders)
    told: dict[str, tuple[UUID, bool]] = {}

    async def claim(order: str) -> None:
        # A delivery reads its shop first. Reading something here makes the two writes meet.
        await read(real_database, "SELECT 1")
        answer = await shop.claim(f"buyer of {order}", order)
        told[order] = answer.identity_group_id, answer.purchase_id is not None

    async def pairs() -> None:
        for order in waiting:
            await at_once(partial(shop.report, order, customerId="c-1"), partial(claim, order))

    async def work() -> None:
        while len(told) < PAIRS:
            await shop.look()

    async with asyncio.timeout(SECONDS_MAX), asyncio.TaskGroup() as group:
        for _ in range(PAIRS_AT_ONCE):
            group.create_task(pairs())
        if decided_meanwhile:
            group.create_task(work())
    await shop.work()

    rows = await read(real_database, "SELECT order_reference, identity_group_id FROM shop_order")
    owners = {row.order_reference: row.identity_group_id for row in rows}
    rewarded = {
        each.event.removeprefix("purchase:"): each.person for each in await rewards_of(shop)
    }
    assert rewarded == owners
    assert len(owners) == PAIRS + 1
    claimed = {order for order, (person, _) in told.items() if owners[order] == person}
    # What is decided stays with whom it was decided for; nothing else keeps a claim from counting.
    assert all(owners[order] == known for order in orders if order not in claimed)
    assert decided_meanwhile or len(claimed) == PAIRS
    # Whoever is told that the order is theirs has it, and nobody else is.
    for order, (person, is_theirs) in told.items():
        assert not is_theirs or owners[order] == person
    await assert_books_balance(real_database)


@pytest.mark.parametrize("claims_first", [True, False])
async def test_claim_and_order_meet_although_neither_saw_the_other(
    engine: AsyncEngine, real_database: Database, claims_first: bool
) -> None:
    """Both would look for the other's half where it was not yet when they began."""
    shop = await a_shop(real_database, a_campaign())

    # Both begin while there is no such order, and wait to make it.
    async with (
        asyncio.TaskGroup() as group,
        holding(engine, _MAKE_ORDER, merchant_id=shop.merchant_id) as holder,
    ):
        for number, is_claim in enumerate((claims_first, not claims_first), start=1):
            if is_claim:
                group.create_task(shop.claim("buyer", "A-1"))
            else:
                group.create_task(shop.report("A-1"))
            await holder.until_awaited(by=number)

    assert list(await states_of(shop)) == ["purchase:A-1"]
    (order,) = await read(real_database, "SELECT link, claim_count FROM shop_order")
    assert tuple(order) == ("claim", 1)


async def test_one_delivery_ten_times_at_once_is_one(real_database: Database) -> None:
    """A shop that is impatient would have its buyers rewarded ten times."""
    shop = await a_shop(real_database, a_campaign())
    await shop.claim("buyer", "A-1")

    answers = await at_once(*[partial(shop.report, "A-1", event_id="event-1")] * 10)

    assert answers == ["ok"] * 10
    (kept,) = await deliveries_of(shop)
    assert (kept.state, kept.try_count) == ("applied", 1)
    await shop.work()
    assert await amounts_of(shop) == [("purchase:A-1", 1_000_000)]
    assert await count_of(shop, "interaction") == 1


async def test_a_twin_that_waited_finds_that_it_was_applied(
    engine: AsyncEngine, real_database: Database
) -> None:
    """Of two copies that both began before either was applied, both would be."""
    shop = await a_shop(real_database, a_campaign())
    await shop.claim("buyer", "A-1")

    async with (
        asyncio.TaskGroup() as group,
        holding(engine, _LOCK_ORDER, merchant_id=shop.merchant_id, order="A-1") as holder,
    ):
        # A minute apart, without times of their own: the second one would be the newer report.
        body = shop.order_body("A-1", createdAt=None, updatedAt=None)
        twins = []
        for minutes in (1, 2):
            shop.flows.clock.now = NOON + timedelta(minutes=minutes)
            twins.append(group.create_task(shop.deliver(body, event_id=str(minutes))))
            await holder.until_awaited(by=minutes)

    assert [twin.result() for twin in twins] == ["ok", "ok"]
    (kept,) = await deliveries_of(shop)
    assert (kept.state, kept.try_count) == ("applied", 1)
    (order,) = await read(real_database, "SELECT event_time FROM shop_order")
    assert (kept.event_reference, order.event_time) == ("1", NOON + timedelta(minutes=1))


async def test_two_workers_try_a_failed_delivery_once(
    engine: AsyncEngine, real_database: Database
) -> None:
    """Two workers would use up a delivery's tries in half the time."""
    shop = await a_shop(real_database)
    async with engine.begin() as connection:
        await connection.execute(
            text("ALTER TABLE shop_order ADD CONSTRAINT mistake CHECK (false) NOT VALID")
        )
    try:
        with pytest.raises(DeliveryPostponedError):
            await shop.report("A-1", event_id="event-1")
        shop.flows.clock.advance(timedelta(seconds=5))
        await at_once(*[lambda: shop.flows.purchase_webhook.retry_failed(shop.merchant_id)] * 4)
    finally:
        async with engine.begin() as connection:
            await connection.execute(text("ALTER TABLE shop_order DROP CONSTRAINT mistake"))

    (kept,) = await deliveries_of(shop)
    assert (kept.state, kept.failure_count) == ("failed", 2)


@pytest.mark.parametrize("shop_first", [True, False])
async def test_a_shop_and_a_worker_that_try_again_at_once_apply_once(
    engine: AsyncEngine, real_database: Database, shop_first: bool
) -> None:
    """A failed delivery would be applied twice, or end as failed although it was applied."""
    shop = await a_shop(real_database, a_campaign())
    await shop.claim("buyer", "A-1")
    body = shop.order_body("A-1")
    async with shop.database.transaction() as tx:
        await shop.flows.deliveries.keep_failed(
            tx,
            a_delivery(shop, body, event_id="event-1"),
            failure=FAULT,
            now=shop.flows.clock.now,
        )
    shop.flows.clock.advance(timedelta(seconds=5))

    async with (
        asyncio.TaskGroup() as group,
        holding(engine, _LOCK_ORDER, merchant_id=shop.merchant_id, order="A-1") as holder,
    ):
        for number, by_shop in enumerate((shop_first, not shop_first), start=1):
            if by_shop:
                again = group.create_task(shop.deliver(body, event_id="event-1"))
            else:
                group.create_task(shop.flows.delivery_retries.run())
            await holder.until_awaited(by=number)

    assert again.result() == "ok"
    # If each holds what the other waits for, one of them gives way and tries again at once.
    (kept,) = await deliveries_of(shop)
    assert (kept.state, kept.try_count) == ("applied", 2)
    await shop.work()
    assert await amounts_of(shop) == [("purchase:A-1", 1_000_000)]
    assert await count_of(shop, "interaction") == 1


async def test_orders_of_one_customer_at_once_are_one_customer(real_database: Database) -> None:
    """A customer who buys in two windows would be two people, or one order would fail."""
    shop = await a_shop(real_database, a_campaign())
    orders = [f"A-{number}" for number in range(20)]

    await at_once(
        *(
            deed
            for order in orders
            for deed in (
                partial(shop.report, order, customerId="c-1", clientId="browser"),
                partial(shop.claim, "browser", order),
            )
        )
    )

    people = await read(real_database, "SELECT DISTINCT identity_group_id FROM shop_order")
    assert len(people) == 1
    await shop.report("B-1", customerId="c-1")
    people = await read(real_database, "SELECT DISTINCT identity_group_id FROM shop_order")
    assert len(people) == 1
    await shop.work()
    assert len(await amounts_of(shop)) == len(orders) + 1

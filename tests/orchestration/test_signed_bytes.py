"""A delivery is its signed bytes: the same again are a repetition, whatever comes with them."""

from __future__ import annotations

from datetime import timedelta
from functools import partial

import pytest

from infrastructure.database.transaction import Database
from tests.support.books import (
    amounts_of,
    assert_books_balance,
    count_of,
    deliveries_of,
    order_of,
    states_of,
)
from tests.support.connections import at_once
from tests.support.flows import flows_on
from tests.support.rules import a_campaign
from tests.support.shop import Shop, a_shop

HOUR = timedelta(hours=1)
IDS = [f"captured-{number}" for number in range(100)]


def untimed(shop: Shop, order: str, status: str) -> bytes:
    """What a shop says that names no times: it counts as of when it is received."""
    return shop.order_body(order, status, createdAt=None, updatedAt=None, clientId="buyer")


async def replay(shop: Shop, body: bytes) -> set[str]:
    """A captured body, correctly signed as it was, under a hundred new ids."""
    answers = set()
    for event_id in IDS:
        shop.flows.clock.advance(timedelta(seconds=1))
        answers.add(await shop.deliver(body, event_id=event_id))
    await shop.work()
    return answers


async def everything_of(shop: Shop) -> tuple[object, ...]:
    """The order, what it earned, and the inbox."""
    order = await order_of(shop, "A-1")
    return (
        (order.state, order.generation, order.event_time, order.total, order.due_time),
        await states_of(shop),
        await amounts_of(shop),
        [(each.state, each.event_reference) for each in await deliveries_of(shop)],
        await count_of(shop, "interaction"),
        await count_of(shop, "reversal"),
    )


async def test_a_captured_body_under_new_ids_changes_nothing(database: Database) -> None:
    """Whoever reads one delivery on its way would earn by it, again and again."""
    shop = await a_shop(database, a_campaign())
    captured = untimed(shop, "A-1", "confirmed")
    assert await shop.deliver(captured, event_id="1") == "ok"
    await shop.work()
    paid = await everything_of(shop)
    assert await amounts_of(shop) == [("purchase:A-1", 1_000_000)]

    assert await replay(shop, captured) == {"ok"}
    assert await everything_of(shop) == paid

    assert await shop.deliver(untimed(shop, "A-1", "refunded"), event_id="2") == "ok"
    await shop.work()
    refunded = await everything_of(shop)
    assert (await order_of(shop, "A-1")).state == "refunded"
    assert await amounts_of(shop) == [("purchase:A-1", 0)]

    assert await replay(shop, captured) == {"ok"}
    assert await everything_of(shop) == refunded
    await assert_books_balance(database)


async def test_the_next_delivery_under_an_old_id_is_applied(database: Database) -> None:
    """Whoever sends an old body under the id of the refund to come would have it ignored."""
    shop = await a_shop(database, a_campaign())
    captured = untimed(shop, "A-1", "confirmed")
    await shop.deliver(captured, event_id="1")
    await shop.work()
    await shop.deliver(captured, event_id="2")
    shop.flows.clock.advance(HOUR)

    assert await shop.deliver(untimed(shop, "A-1", "refunded"), event_id="2") == "ok"
    await shop.work()

    assert (await order_of(shop, "A-1")).state == "refunded"
    assert await amounts_of(shop) == [("purchase:A-1", 0)]
    assert [(each.event_reference, each.state) for each in await deliveries_of(shop)] == [
        ("1", "applied"),
        ("2", "applied"),
    ]


async def test_a_trial_that_was_passed_over_may_come_in_earnest(database: Database) -> None:
    """A shop that goes live with what it tried would have its first orders ignored."""
    shop = await a_shop(flows_on(database, accepts_tests=False), a_campaign())
    body = untimed(shop, "A-1", "confirmed")
    for _ in range(2):
        assert (await shop.deliver(body, is_test=True)).startswith("ko: trial")
    assert await shop.deliver(body) == "ok"
    # Whoever marks what was captured as a trial has it passed over.
    assert (await shop.deliver(body, event_id="new", is_test=True)).startswith("ko: trial")
    await shop.work()

    assert [each.state for each in await deliveries_of(shop)] == ["ignored", "applied"]
    assert await amounts_of(shop) == [("purchase:A-1", 1_000_000)]


@pytest.mark.parametrize("seconds", [0, 3600])
async def test_the_same_state_may_be_reported_again_in_other_bytes(
    database: Database, seconds: int
) -> None:
    """A shop that takes an order back and confirms it anew would be told that it did before."""
    shop = await a_shop(database, a_campaign())
    for status in ("confirmed", "refunded", "confirmed"):
        assert await shop.report("A-1", status, clientId="buyer") == "ok"
        await shop.work()
        shop.flows.clock.advance(timedelta(seconds=1 + seconds))

    assert (await order_of(shop, "A-1")).generation == 2
    assert await amounts_of(shop) == [("purchase:A-1", 0), ("purchase:A-1#2", 1_000_000)]


async def test_the_same_bytes_at_once_have_one_effect(real_database: Database) -> None:
    """Two of them that come together would be two deliveries, and earn twice."""
    shop = await a_shop(real_database, a_campaign())
    body = untimed(shop, "A-1", "confirmed")

    answers = await at_once(
        *[partial(shop.deliver, body, event_id=str(number)) for number in range(10)]
    )
    await shop.work()

    assert answers == ["ok"] * 10
    assert len(await deliveries_of(shop)) == 1
    assert await amounts_of(shop) == [("purchase:A-1", 1_000_000)]
    await assert_books_balance(real_database)

"""Interactions of a lane, and what was taken back, on PostgreSQL."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from uuid import uuid4

import pytest

from domains.rewards.model import Obstacle, OrderLife, Place
from domains.rewards.repository import DueEventRepository, EventRepository, ReversalRepository
from infrastructure.database.transaction import Database, Transaction
from tests.support.events import (
    HAPPENED,
    add_purchase,
    add_referral,
    add_reversal,
    read_event,
    read_reversal,
)
from vocabulary.ids import InteractionId, MerchantId

ROUND = 3
SHOP = MerchantId(uuid4())
MOMENT = timedelta(microseconds=1)
HOUR = timedelta(hours=1)

due_events = DueEventRepository()
events = EventRepository()
reversals = ReversalRepository()


@pytest.fixture
async def tx(database: Database) -> AsyncIterator[Transaction]:
    async with database.transaction() as tx:
        yield tx


async def ready(tx: Transaction, *, after: Place | None = None, limit: int = 200) -> list[str]:
    found = await due_events.list_ready(tx, SHOP, round_number=ROUND, after=after, limit=limit)
    return [each.event_reference for each in found]


@pytest.mark.parametrize(
    ("due", "is_taken"),
    [(-MOMENT, False), (timedelta(), True), (HOUR, True), (HOUR + MOMENT, False)],
)
async def test_a_round_takes_in_what_is_due_from_one_instant_to_another(
    tx: Transaction, due: timedelta, is_taken: bool
) -> None:
    """A referral at the edge of two rounds would belong to neither."""
    referral = await add_referral(tx, SHOP, due_time=HAPPENED + due)
    # Purchases are taken in with their orders.
    await add_purchase(tx, SHOP)

    taken = await due_events.promote(
        tx, SHOP, after=HAPPENED, until=HAPPENED + HOUR, round_number=ROUND, limit=200
    )

    assert taken == ((1, HAPPENED + due) if is_taken else (0, None))
    assert ((await read_event(tx, referral)).ready_round == ROUND) is is_taken


async def test_what_is_in_a_round_or_decided_is_not_taken_into_the_next(tx: Transaction) -> None:
    """A part that is full would be taken in again and again, and nothing after it."""
    await add_referral(tx, SHOP, ready_round=ROUND - 1)
    await add_referral(tx, SHOP, state="decided", decide_time=HAPPENED)

    taken = await due_events.promote(
        tx, SHOP, after=None, until=HAPPENED, round_number=ROUND, limit=200
    )

    assert taken == (0, None)


async def test_referrals_come_in_the_order_of_the_lane_after_a_place(tx: Transaction) -> None:
    """Referrals would be decided twice, left out, or in an order that chance decides."""
    for name, minute in (("c", 0), ("b", 1), ("a", 1), ("d", 2)):
        time = HAPPENED + timedelta(minutes=minute)
        await add_referral(tx, SHOP, name, event_time=time, ready_round=ROUND)
    await add_referral(tx, SHOP, "another round's", ready_round=ROUND + 1)

    assert await ready(tx, limit=2) == ["c", "a"]
    place = Place(time=HAPPENED + timedelta(minutes=1), reference="a")
    assert await ready(tx, after=place) == ["b", "d"]


async def test_only_what_the_round_has_not_dealt_with_is_decided(tx: Transaction) -> None:
    """A worker who was overtaken would decide a referral a second time."""
    open_one = await add_referral(tx, SHOP, "b", ready_round=ROUND)
    another = await add_referral(tx, SHOP, "a", ready_round=ROUND + 1)
    dealt_with = await add_referral(tx, SHOP, "c")

    found = await due_events.list_some_ready(
        tx, [dealt_with, another, open_one], round_number=ROUND
    )

    assert [each.interaction_id for each in found] == [open_one]


async def test_waiting_is_counted_and_costs_no_try(tx: Transaction) -> None:
    """What lacks a rate would die of it, or be looked at every half minute for ever."""
    waiting = await add_referral(tx, SHOP, ready_round=ROUND, try_count=4)
    decided = await add_purchase(tx, SHOP, state="decided", decide_time=HAPPENED)

    until = HAPPENED + HOUR
    await due_events.postpone(
        tx,
        [(waiting, until, "USD/EUR"), (decided, until, "USD/EUR")],
        obstacle=Obstacle.RATE_MISSING,
    )

    row = await read_event(tx, waiting)
    assert (row.wait_count, row.try_count, row.due_time) == (1, 4, until)
    assert (row.ready_round, row.needed_rate, row.obstacle) == (None, "USD/EUR", "RATE_MISSING")
    assert (await read_event(tx, decided)).needed_rate is None


@pytest.mark.parametrize(("retry_time", "state"), [(HAPPENED + HOUR, "pending"), (None, "dead")])
async def test_a_failure_costs_a_try_and_the_last_one_is_the_end(
    tx: Transaction, retry_time: object, state: str
) -> None:
    """What never works would be tried for ever, or disappear."""
    failed = await add_referral(tx, SHOP, ready_round=ROUND)
    decided = await add_purchase(tx, SHOP, state="decided", decide_time=HAPPENED)

    for each in (failed, decided):
        await due_events.fail(
            tx,
            each,
            retry_time=retry_time,  # type: ignore[arg-type]
            obstacle=Obstacle.DECIDING_FAILED,
        )

    row = await read_event(tx, failed)
    assert (row.state, row.try_count, row.ready_round) == (state, 1, None)
    assert row.due_time == (retry_time or HAPPENED)
    assert (await read_event(tx, decided)).state == "decided"


async def test_a_refund_cancels_the_life_that_was_taken_back_unless_it_is_decided(
    tx: Transaction,
) -> None:
    """An order that was paid again would earn nothing, or a dead one come back to life."""
    decided = {"state": "decided", "decide_time": HAPPENED}
    made: dict[str, InteractionId] = {
        "pending": await add_purchase(tx, SHOP, "pending"),
        "dead": await add_purchase(tx, SHOP, "dead", state="dead"),
        "decided": await add_purchase(tx, SHOP, "decided", **decided),
        "first life": await add_purchase(tx, SHOP, "second life", **decided),
        "second life": await add_purchase(tx, SHOP, "second life", generation=2),
    }
    turned = ("pending", "dead", "decided", "second life")

    lives = await events.cancel(
        tx, SHOP, [OrderLife(order_reference=each, generation=1) for each in turned]
    )

    assert {each.order_reference for each in lives} == {"pending", "dead"}
    states = {name: (await read_event(tx, each)).state for name, each in made.items()}
    assert states == {
        "pending": "cancelled",
        "dead": "cancelled",
        "decided": "decided",
        "first life": "decided",
        "second life": "pending",
    }


async def test_a_dead_one_comes_back_with_all_its_tries(tx: Transaction) -> None:
    """What an operator retries would die at its next failure; what is decided would be again."""
    dead = await add_purchase(tx, SHOP, "dead", state="dead", try_count=5)
    decided = await add_purchase(tx, SHOP, "b", state="decided", decide_time=HAPPENED)
    waiting = await add_purchase(tx, SHOP, "waiting", try_count=2)

    found = await events.list_dead(tx, SHOP, None, limit=200)
    assert [each.interaction_id for each in found] == [dead]
    revived = await events.revive(tx, [dead, decided, waiting], now=HAPPENED + HOUR)

    assert revived == 1
    row = await read_event(tx, dead)
    assert (row.state, row.try_count, row.due_time) == ("pending", 0, HAPPENED + HOUR)
    assert (await read_event(tx, decided)).state == "decided"
    assert (await read_event(tx, waiting)).try_count == 2


@pytest.mark.parametrize(
    ("columns", "is_open"),
    [
        ({}, True),
        ({"drain_time": HAPPENED}, False),
        ({"retry_time": HAPPENED + HOUR}, True),
        ({"retry_time": HAPPENED + HOUR + MOMENT}, False),
    ],
)
async def test_a_reversal_is_open_until_it_is_dealt_with_and_rests_in_between(
    tx: Transaction, columns: dict[str, object], is_open: bool
) -> None:
    """A refund would be booked twice, or one that fails would stop the lane."""
    reversal_id = await add_reversal(tx, SHOP, order="A-1", **columns)

    found = await reversals.list_open(tx, SHOP, after=None, now=HAPPENED + HOUR, limit=200)
    named = await reversals.list_some(tx, [reversal_id])

    assert bool(found) is is_open
    assert bool(named) is ("drain_time" not in columns)


async def test_reversals_that_are_dealt_with_are_numbered_one_after_the_other(
    tx: Transaction,
) -> None:
    """The books would not say in which order money moved."""
    for order in ("A-1", "A-2", "A-3"):
        await add_reversal(tx, SHOP, order=order, create_time=HAPPENED - timedelta(days=1))
    found = await reversals.list_open(tx, SHOP, after=None, now=HAPPENED, limit=200)

    await reversals.mark_drained(tx, found, first_sequence=7, now=HAPPENED)

    rows = [await read_reversal(tx, each.reversal_id) for each in found]
    assert [row.sequence for row in rows] == [7, 8, 9]
    assert {row.drain_time for row in rows} == {HAPPENED}


async def test_a_reversal_that_fails_says_how_often(tx: Transaction) -> None:
    """It would be tried every five seconds for ever."""
    reversal_id = await add_reversal(tx, SHOP)

    for _ in range(3):
        await reversals.set_aside(tx, reversal_id, retry_time=HAPPENED + HOUR)

    row = await read_reversal(tx, reversal_id)
    assert (row.try_count, row.retry_time) == (3, HAPPENED + HOUR)

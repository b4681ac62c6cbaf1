"""Orders in the rounds of a lane, on PostgreSQL."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from domains.purchases.model.lane_queue import FixedLife, LetGo
from domains.purchases.repository import LaneQueueRepository, ReopeningRepository
from infrastructure.database.transaction import Database, Transaction
from tests.support.orders import ORDERED, add_order, read_order
from tests.support.races import beside
from vocabulary.ids import MerchantId

ROUND = 3
SHOP = MerchantId(uuid4())
MOMENT = timedelta(microseconds=1)
SECOND_LIFE = {"generation": 2, "interaction_generation": 2}

queue, reopening = LaneQueueRepository(), ReopeningRepository()


@pytest.fixture
async def tx(database: Database) -> AsyncIterator[Transaction]:
    async with database.transaction() as tx:
        yield tx


async def fixed(tx: Transaction, *, limit: int = 200, **place: object) -> list[str]:
    """Fixes what is ready, and says what it was."""
    options: dict[str, Any] = {"after": None, "until": ORDERED + timedelta(days=1)} | place
    found = await queue.fix(
        tx, SHOP, round_number=ROUND, limit=limit, put_off_time=ORDERED, **options
    )
    return [each.order_reference for each in found]


async def listed(tx: Transaction, *orders: str) -> list[str]:
    found = await queue.list_fixed(tx, SHOP, orders, round_number=ROUND)
    return [each.order_reference for each in found]


def gone(order: str = "A-1", generation: int = 1, *, is_decided: bool = False) -> LetGo:
    return LetGo(
        order_reference=order,
        generation=generation,
        is_decided=is_decided,
        due_time=None if is_decided else ORDERED + timedelta(hours=1),
    )


async def let_go(tx: Transaction, *orders: LetGo) -> None:
    await queue.let_go(tx, SHOP, orders, round_number=ROUND)


@pytest.mark.parametrize(
    ("due", "is_taken"),
    [(-MOMENT, False), (timedelta(), True), (timedelta(hours=1), True), (2 * MOMENT, True)],
)
async def test_a_round_takes_in_what_is_due_from_one_instant_to_another(
    tx: Transaction, due: timedelta, is_taken: bool
) -> None:
    """An order at the edge of two rounds would belong to neither."""
    await add_order(tx, SHOP, "A-1", due_time=ORDERED + due)

    taken = await queue.promote(
        tx,
        SHOP,
        after=ORDERED,
        until=ORDERED + timedelta(hours=1),
        round_number=ROUND,
        limit=200,
    )

    assert taken == ((1, ORDERED + due) if is_taken else (0, None))
    assert (await read_order(tx, SHOP, "A-1")).ready_round == (ROUND if is_taken else None)


async def test_what_is_in_a_round_is_not_taken_into_the_next(tx: Transaction) -> None:
    """A part that is full would be taken in again and again, and nothing after it."""
    await add_order(tx, SHOP, "A-1", ready_round=ROUND - 1)

    taken = await queue.promote(tx, SHOP, after=None, until=ORDERED, round_number=ROUND, limit=200)

    assert taken == (0, None)


async def test_orders_are_fixed_in_the_order_of_the_lane_after_a_place(tx: Transaction) -> None:
    """Orders would be decided twice, left out, or in an order that chance decides."""
    for order, minute in (("c", 0), ("a", 1), ("b", 1), ("d", 1), ("e", 2), ("f", 3)):
        time = ORDERED + timedelta(minutes=minute)
        await add_order(tx, SHOP, order, order_time=time, ready_round=ROUND)
    await add_order(tx, SHOP, "another round's", ready_round=ROUND + 1)

    assert await fixed(tx, limit=2) == ["c", "a"]
    place = (ORDERED + timedelta(minutes=1), "a")
    assert await fixed(tx, after=place, limit=2) == ["b", "d"]
    # Up to an instant, orders of that instant included.
    assert await fixed(tx, after=place, until=ORDERED + timedelta(minutes=2)) == ["b", "d", "e"]


async def test_fixing_twice_is_fixing_once(tx: Transaction) -> None:
    """After a crash, an order that has to wait would keep a buyer whom a claim corrects."""
    await add_order(tx, SHOP, "A-1", ready_round=ROUND)
    for _ in range(2):
        await fixed(tx)
    order = await read_order(tx, SHOP, "A-1")
    assert (order.fixed_generation, order.fixed_group_id) == (1, order.hint_group_id)

    await let_go(tx, gone())

    order = await read_order(tx, SHOP, "A-1")
    assert (order.fixed_generation, order.fixed_group_id, order.ready_round) == (0, None, None)
    assert order.due_time == ORDERED + timedelta(hours=1)


async def test_an_order_whose_last_life_was_decided_stays_that_persons(tx: Transaction) -> None:
    """While its second life waits for a rate, the order would become another person's."""
    await add_order(tx, SHOP, "A-1", ready_round=ROUND, decided_generation=1, **SECOND_LIFE)
    await fixed(tx)

    await let_go(tx, gone(generation=2))

    order = await read_order(tx, SHOP, "A-1")
    assert (order.decided_generation, order.fixed_generation) == (1, 0)
    assert order.fixed_group_id == order.hint_group_id


async def test_what_was_heard_while_an_order_was_fixed_counts_if_it_is_not_decided(
    tx: Transaction,
) -> None:
    """A month's budget would be charged, or a rate used, that the shop had corrected in time."""
    earlier = ORDERED - timedelta(hours=1)
    for order in ("decided", "open"):
        await add_order(tx, SHOP, order, ready_round=ROUND, fixed_generation=1, heard_time=earlier)

    await let_go(tx, gone("decided", is_decided=True), gone("open"))

    decided, open_one = [await read_order(tx, SHOP, order) for order in ("decided", "open")]
    assert (decided.order_time, decided.heard_time) == (ORDERED, None)
    assert (open_one.order_time, open_one.heard_time) == (earlier, None)


@pytest.mark.parametrize(
    ("changed", "waits"),
    [({}, True), ({"currency": "GBP"}, False), ({"heard_time": ORDERED - MOMENT}, False)],
)
async def test_an_order_waits_only_for_the_rate_that_it_still_needs(
    tx: Transaction, changed: dict[str, object], waits: bool
) -> None:
    """An order that was corrected would wait an hour for a rate that nobody needs."""
    usd = {"currency": "USD", "ready_round": ROUND, "fixed_generation": 1}
    await add_order(tx, SHOP, "A-1", **usd | changed)
    later = ORDERED + timedelta(hours=1)

    await let_go(tx, replace(gone(), needed_rate="USD/EUR"))

    order = await read_order(tx, SHOP, "A-1")
    assert order.due_time == (later if waits else ORDERED)
    assert order.needed_rate == ("USD/EUR" if waits else None)


async def test_what_is_decided_stays_fixed(tx: Transaction) -> None:
    """A later claim would move an order that somebody was paid for."""
    await add_order(tx, SHOP, "A-1", ready_round=ROUND)
    await fixed(tx)

    await let_go(tx, gone(is_decided=True))

    order = await read_order(tx, SHOP, "A-1")
    assert (order.decided_generation, order.ready_round, order.due_time) == (1, None, None)


@pytest.mark.parametrize(
    "changed",
    [
        {"state": "refunded"},
        {"ready_round": ROUND + 1},
        {"ready_round": None},
        {"fixed_generation": 0},
        SECOND_LIFE,
    ],
)
async def test_only_what_is_fixed_and_still_paid_is_decided(
    tx: Transaction, changed: dict[str, object]
) -> None:
    """An order would be paid for that was refunded, or is another one's by now."""
    right: dict[str, object] = {"ready_round": ROUND, "fixed_generation": 1}
    await add_order(tx, SHOP, "b right", **right)
    await add_order(tx, SHOP, "a right", **right)
    await add_order(tx, SHOP, "changed", **right | changed)

    assert await listed(tx, "changed", "b right", "a right") == ["a right", "b right"]


@pytest.mark.parametrize(
    ("changed", "generation"),
    [
        ({"ready_round": ROUND + 1}, 1),
        ({"fixed_generation": 0}, 1),
        ({"fixed_generation": 0, "decided_generation": 1}, 1),
        ({**SECOND_LIFE, "fixed_generation": 1}, 1),
        ({**SECOND_LIFE, "fixed_generation": 2}, 1),
        ({**SECOND_LIFE, "fixed_generation": 1}, 2),
    ],
)
async def test_only_what_this_round_fixed_is_let_go_of(
    tx: Transaction, changed: dict[str, object], generation: int
) -> None:
    """A worker who was overtaken would end what another one is about to decide."""
    await add_order(tx, SHOP, "A-1", **{"ready_round": ROUND, "fixed_generation": 1} | changed)
    before = await read_order(tx, SHOP, "A-1")

    for is_decided in (True, False):
        await let_go(tx, gone(generation=generation, is_decided=is_decided))

    assert await read_order(tx, SHOP, "A-1") == before


@pytest.mark.parametrize(
    ("life", "is_decided", "left"),
    [(1, False, (0, 2)), (1, True, (0, 2)), (2, False, (0, 0)), (2, True, (2, 0))],
)
async def test_a_life_that_ended_is_noted_as_it_ended_and_no_other(
    tx: Transaction, life: int, is_decided: bool, left: tuple[int, int]
) -> None:
    """The next life of a refunded order would belong to the buyer of the last one, or not."""
    await add_order(tx, SHOP, "A-1", fixed_generation=2, **SECOND_LIFE)

    settled = await reopening.settle(
        tx, SHOP, [FixedLife(order_reference="A-1", generation=life, is_decided=is_decided)]
    )

    order = await read_order(tx, SHOP, "A-1")
    assert settled == ["A-1"]
    assert (order.decided_generation, order.fixed_generation) == left
    assert (order.fixed_group_id is None) == (left == (0, 0))


@pytest.mark.parametrize(
    ("changed", "is_due"),
    [
        ({}, True),
        ({"state": "refunded"}, False),
        (SECOND_LIFE, False),
        ({"generation": 2}, False),
        ({"due_time": ORDERED + timedelta(hours=1)}, False),
    ],
)
async def test_a_dead_order_is_due_again_in_the_life_that_died(
    tx: Transaction, changed: dict[str, object], is_due: bool
) -> None:
    """A retry would decide an order that was refunded, or look at a waiting one too early."""
    await add_order(tx, SHOP, "A-1", **{"due_time": None} | changed)
    now = ORDERED + timedelta(days=1)

    due = await reopening.requeue(tx, SHOP, [("A-1", 1)], now=now)

    assert due == (["A-1"] if is_due else [])
    assert ((await read_order(tx, SHOP, "A-1")).due_time == now) is is_due


@pytest.mark.parametrize(
    ("ordered", "is_told"),
    [
        (-MOMENT, False),
        (timedelta(), True),
        (timedelta(days=7) - MOMENT, True),
        (timedelta(days=7), False),
    ],
)
async def test_orders_hear_of_a_rate_from_its_instant_until_it_is_too_old(
    tx: Transaction, ordered: timedelta, is_told: bool
) -> None:
    """An order would wait an hour for a rate that is there, or be tried in vain."""
    now = ORDERED + timedelta(days=30)
    waiting = {"order_time": ORDERED + ordered, "due_time": now + timedelta(hours=1)}
    await add_order(tx, SHOP, "A-1", needed_rate="USD/EUR", **waiting)
    await add_order(tx, SHOP, "other", needed_rate="GBP/EUR", **waiting)

    async def told() -> int:
        released = await reopening.release_for_rate(
            tx,
            pair="USD/EUR",
            observe_time=ORDERED,
            stale_time=ORDERED + timedelta(days=7),
            now=now,
            limit=200,
        )
        assert released.found_count == released.count
        return released.count

    # Once each: a rate that is announced in parts comes to an end.
    assert [await told(), await told()] == [int(is_told), 0]
    assert ((await read_order(tx, SHOP, "A-1")).due_time == now) is is_told
    assert (await read_order(tx, SHOP, "other")).due_time == now + timedelta(hours=1)


async def a_round(database: Database) -> None:
    """All that a lane does with orders, in one transaction."""
    async with database.transaction() as tx:
        taken = await queue.promote(
            tx, SHOP, after=None, until=ORDERED, round_number=ROUND, limit=200
        )
        assert taken == (0, None)
        assert await fixed(tx) == []
        await let_go(tx, gone("fixed", is_decided=True))
        ended = FixedLife(order_reference="fixed", generation=1, is_decided=False)
        assert await reopening.settle(tx, SHOP, [ended]) == []


async def test_rows_that_are_written_now_hold_up_no_round(real_database: Database) -> None:
    """One slow report of an order would stop its merchant's lane, and everybody behind it."""
    orders: Sequence[tuple[str, dict[str, object]]] = (
        ("due", {}),
        ("ready", {"ready_round": ROUND}),
        ("fixed", {"ready_round": ROUND, "fixed_generation": 1}),
    )
    async with real_database.transaction() as tx:
        for order, columns in orders:
            await add_order(tx, SHOP, order, **columns)

    async with real_database.transaction() as writer:
        # Locks what it does not change.
        lives = [(order, 1) for order, _ in orders]
        assert await reopening.requeue(writer, SHOP, lives, now=ORDERED) == []
        async with asyncio.timeout(5):
            await beside(a_round(real_database))

    async with real_database.transaction() as tx:
        assert (await read_order(tx, SHOP, "due")).ready_round is None
        assert (await read_order(tx, SHOP, "ready")).fixed_generation == 0
        order = await read_order(tx, SHOP, "fixed")
        assert (order.ready_round, order.fixed_generation) == (ROUND, 1)

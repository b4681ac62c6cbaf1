"""Which report of an order counts: the statement of a delivery against the model's rule."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from datetime import timedelta
from decimal import Decimal
from functools import reduce
from itertools import permutations, product
from typing import Any
from uuid import uuid4

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from domains.purchases.model import (
    OrderEvent,
    OrderStanding,
    OrderState,
)
from domains.rewards.model import RewardState, event_reference
from domains.rewards.tables.events import EVENT_REFERENCE
from infrastructure.database.transaction import Database
from orchestration.purchase_webhook.statements import Applied, apply
from tests.support.books import assert_books_balance, read, rewards_of
from tests.support.deliveries import a_received_delivery, new_ids
from tests.support.flows import NOON
from tests.support.rules import a_campaign, percent
from tests.support.shop import Shop, a_shop, token_of

EARLIER, EQUAL, LATER = (NOON + timedelta(seconds=seconds) for seconds in (-1, 0, 1))
LOW, HIGH = bytes(32), bytes([255] * 32)
CONNECTIONS = 6


def an_event(order: str, state: OrderState, time: Any, body_hash: bytes) -> OrderEvent:
    return OrderEvent(
        order_reference=order,
        state=state,
        token=token_of(order),
        customer_reference=None,
        client_id=None,
        total=None if state is OrderState.PENDING else Decimal(100),
        currency=None if state is OrderState.PENDING else "EUR",
        items=(),
        subtotal=None,
        order_time=EARLIER,
        order_time_stated=True,
        event_time=time,
        body_hash=body_hash,
    )


CORNERS = [
    an_event("", state, time, body_hash)
    for state, time, body_hash in product(OrderState, (EARLIER, EQUAL, LATER), (LOW, HIGH))
]


def standing_after(events: Iterable[OrderEvent]) -> OrderStanding:
    """What the model says of an order after events, in the order in which they arrive."""
    first, *others = events
    return reduce(OrderStanding.after, others, OrderStanding.first(first))


def shortest_ways(length_max: int) -> dict[OrderStanding, tuple[OrderEvent, ...]]:
    """Every standing that so many events can lead to, with the fewest that do."""
    ways: dict[OrderStanding, tuple[OrderEvent, ...]] = {}
    arriving: list[tuple[OrderEvent, ...]] = [(corner,) for corner in CORNERS]
    for _ in range(length_max):
        reached = [way for way in arriving if ways.setdefault(standing_after(way), way) is way]
        arriving = [(*way, corner) for way in reached for corner in CORNERS]
    return ways


async def arrive(shop: Shop, order: str, events: Sequence[OrderEvent]) -> list[Applied]:
    """Applies events to an order by the statement alone, one after the other."""
    answers = []
    for event in events:
        reference = uuid4().hex
        delivery = a_received_delivery(shop.merchant_id, event_id=reference, time=NOON)
        named = an_event(order, event.state, event.event_time, event.body_hash)
        async with shop.database.single() as tx:
            applied = await apply(tx, delivery, named, new_ids(), now=NOON)
            assert applied is not None, "nobody claims meanwhile"
            answers.append(applied)
    return answers


async def standings_of(shop: Shop) -> dict[str, OrderStanding]:
    rows = await read(
        shop.database,
        "SELECT * FROM shop_order WHERE merchant_id = :merchant_id",
        merchant_id=shop.merchant_id,
    )
    return {
        row.order_reference: OrderStanding(
            state=OrderState(row.state),
            event_time=row.event_time,
            body_hash=row.body_hash,
            generation=row.generation,
            voided=row.voided,
        )
        for row in rows
    }


async def test_the_statement_and_the_model_agree_at_every_corner(
    real_database: Database,
) -> None:
    """An order would stand elsewhere than its rule says, and earn or lose rewards for it.

    What a delivery does depends on the order's standing alone. So every standing that three
    events can lead to, met by every event, is every sequence of up to four events: states,
    times before, at and after each other, lower and higher hashes, in every order.
    """
    shop = await a_shop(real_database)
    sequences = [(*way, corner) for way in shortest_ways(3).values() for corner in CORNERS]
    assert len(sequences) > 800
    wanted: dict[str, OrderStanding] = {}
    waiting = [(f"order {number}", sequence) for number, sequence in enumerate(sequences)]

    async def deliver() -> None:
        while waiting:
            order, sequence = waiting.pop()
            wanted[order] = standing_after(sequence)
            *_, answer = await arrive(shop, order, sequence)
            changes = wanted[order] != standing_after(sequence[:-1])
            assert (answer is Applied.APPLIED) == changes, (order, sequence)

    async with asyncio.TaskGroup() as group:
        for _ in range(CONNECTIONS):
            group.create_task(deliver())

    found = await standings_of(shop)
    assert found.keys() == wanted.keys()
    different = {
        order: (found[order], wanted[order]) for order in found if found[order] != wanted[order]
    }
    assert not different


def test_the_order_of_arrival_does_not_decide_where_an_order_ends() -> None:
    """A shop's network would decide whether an order is paid for."""
    for events in product(CORNERS, repeat=3):
        if sorted(events, key=CORNERS.index) == list(events):
            ends = {
                (end.state, end.event_time, end.body_hash, end.voided)
                for end in map(standing_after, permutations(events))
            }
            assert len(ends) == 1, events


def test_hearing_an_event_twice_is_hearing_it_once() -> None:
    """A repeated report would begin another life of an order."""
    for events in product(CORNERS, repeat=2):
        once = standing_after(events)
        for again in events:
            assert once.after(again) == once


reports = st.lists(
    st.tuples(
        st.sampled_from([state.value for state in OrderState]),
        st.integers(min_value=0, max_value=3),
        st.sampled_from(["100.00", "50.00"]),
    ),
    min_size=1,
    max_size=5,
    unique=True,
)


@given(reported=reports, data=st.data())
@settings(
    max_examples=25,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
async def test_shuffled_and_repeated_deliveries_end_alike(
    database: Database, reported: list[tuple[str, int, str]], data: st.DataObject
) -> None:
    """The same reports in another order would leave another order, or other rewards."""
    shuffled = data.draw(st.permutations(reported * 2))
    ends = []
    for sequence in (sorted(reported), shuffled):
        shop = await a_shop(database, a_campaign(amount=percent("10")))
        shop.flows.clock.advance(timedelta(hours=1))
        await shop.claim("buyer", "A-1")
        for status, minutes, total in sequence:
            await shop.report(
                "A-1",
                status,
                ordered=NOON,
                updated=NOON + timedelta(minutes=minutes),
                totalPrice=total,
            )
        await shop.work()
        ((_, standing),) = (await standings_of(shop)).items()
        earned = [
            each.base_units for each in await rewards_of(shop) if each.state is RewardState.PENDING
        ]
        ends.append((standing.state, standing.event_time, standing.body_hash, earned))

    assert ends[0] == ends[1]
    state, _, _, earned = ends[0]
    assert len(earned) == (1 if state is OrderState.CONFIRMED else 0)
    await assert_books_balance(database)


ORDER_IDS = ["A-1", "#", "##", "A#2", "A##2", "A#", "A##", "#2", "A", "purchase:A", "é", "A'--"]


async def test_sql_and_model_name_an_order_s_event_alike(database: Database) -> None:
    """A refund would miss the event that it takes back, or hit another order's."""
    corners = [(order, generation) for order in ORDER_IDS for generation in (1, 2, 3, 10)]
    async with database.single() as tx:
        rows = await tx.execute(
            text(
                f"""
                SELECT {EVENT_REFERENCE} AS reference
                FROM (
                    SELECT 'purchase' AS kind, NULL AS referral_reference, named.*
                    FROM unnest(CAST(:orders AS text[]), CAST(:generations AS int[]))
                        WITH ORDINALITY AS named (order_reference, generation, position)
                ) AS interaction
                ORDER BY position
                """
            ),
            {
                "orders": [order for order, _ in corners],
                "generations": [generation for _, generation in corners],
            },
        )
        in_sql = list(rows.scalars())

    assert in_sql == [event_reference(order, generation) for order, generation in corners]
    assert len(set(in_sql)) == len(corners), "two events would share a name"

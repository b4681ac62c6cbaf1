"""Events of an order: which of two counts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import product

from domains.purchases.model import OrderEvent, OrderStanding, OrderState

NOON = datetime(2025, 3, 1, 12, tzinfo=UTC)


def an_event(
    state: OrderState, minute: int, digest: bytes, *, total: Decimal | None = Decimal(10)
) -> OrderEvent:
    return OrderEvent(
        order_reference="A-1",
        state=state,
        token="",
        customer_reference=None,
        client_id=None,
        total=total,
        currency="EUR",
        items=(),
        subtotal=None,
        order_time=NOON,
        order_time_stated=True,
        event_time=NOON + timedelta(minutes=minute),
        body_hash=digest,
    )


CORNERS = [
    an_event(state, minute, digest)
    for state, minute, digest in product(OrderState, (0, 1), (b"\x01", b"\xff"))
]


def test_keys_order_events_as_the_standing_does() -> None:
    """The hint would be of another report than the order's state."""
    for known, heard in product(CORNERS, repeat=2):
        is_newer = OrderStanding.first(known).is_changed_by(heard)
        assert (heard.guard_key > known.guard_key) is is_newer, (known, heard)
        assert (heard.content_key > known.content_key) is is_newer, (known, heard)


def test_what_names_a_total_says_more_than_what_does_not() -> None:
    """A refund by the order's id alone would empty the order."""
    short = an_event(OrderState.REFUNDED, 1, b"\xff", total=None)

    assert all(each.content_key > short.content_key for each in CORNERS)

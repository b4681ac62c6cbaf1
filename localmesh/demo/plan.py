"""What happens in the demo, day by day: real purchases, and a seeded plan around them.

The purchases are the CDNOW sample in `cdnow`. Who came through whose link, which
browser claimed its order when, and what was refunded is drawn from the seed, so that the same
seed always tells the same story.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from pathlib import Path
from uuid import UUID, uuid5

from vocabulary.exact import scale

_NAMES = UUID("2f3c2a52-6f0e-4d0b-9a53-9b6f0c9a1d77")
_MINUTES_OF_TRADE = 18 * 60
_FIRST_MINUTE = 5 * 60

REFERRED_PART = 0.4
RETURNING_BY_LINK_PART = 0.1
CLAIMED_BEFORE_PART = 0.25
NEVER_CLAIMED_PART = 0.05
PENDING_FIRST_PART = 0.1
REFUNDED_PART = 0.04
CANCELLED_PART = 0.01
REFUND_DAYS = (2, 25)


class Claiming(StrEnum):
    """When the buyer's browser claims an order."""

    BEFORE = "before the webhook"
    AFTER = "after the webhook"
    NEVER = "never"


class Ending(StrEnum):
    """How an order is taken back."""

    REFUNDED = "refunded"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedOrder:
    """One purchase of the data, and what the plan adds to it.

    `referrer` is the customer through whose link the buyer arrives for this order, if any.
    """

    number: int
    customer: str
    time: datetime
    quantity: int
    total: Decimal
    referrer: str | None
    claiming: Claiming
    pending_first: bool

    @property
    def reference(self) -> str:
        return f"CD-{self.number:05d}"


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedReturn:
    """An order that is taken back."""

    order: PlannedOrder
    ending: Ending
    time: datetime


@dataclass(slots=True, kw_only=True)
class PlannedDay:
    """What happens on one day."""

    day: date
    orders: list[PlannedOrder] = field(default_factory=list)
    returns: list[PlannedReturn] = field(default_factory=list)


def client_id_of(customer: str, seed: int) -> str:
    """The id that the customer's browser made for itself."""
    return str(uuid5(_NAMES, f"{seed}/client/{customer}"))


def request_id_of(seed: int, *parts: object) -> str:
    """The id under which a call of the story is made, so that repeating it changes nothing."""
    return str(uuid5(_NAMES, "/".join(str(part) for part in (seed, *parts))))


def read_purchases(file: Path) -> list[tuple[str, date, int, Decimal]]:
    """The purchases of the data in their order: customer, day, quantity, total."""
    purchases = []
    for line in file.read_text(encoding="ascii").splitlines():
        customer, _, day, quantity, total = line.split()
        purchases.append(
            (
                customer,
                datetime.strptime(day, "%Y%m%d").replace(tzinfo=UTC).date(),
                int(quantity),
                Decimal(total),
            )
        )
    return sorted(purchases, key=lambda each: each[1])


def plan(purchases: Sequence[tuple[str, date, int, Decimal]], seed: int) -> Sequence[PlannedDay]:
    """The story: every day on which something happens, in order."""
    chance = random.Random(seed)  # noqa: S311 - a story, not a secret
    days: dict[date, PlannedDay] = {}
    known: list[str] = []
    for day, orders in _by_day(purchases).items():
        met_today: list[str] = []
        seen = set(known)
        for number, (customer, quantity, total) in orders:
            is_new = customer not in seen
            part = REFERRED_PART if is_new else RETURNING_BY_LINK_PART
            referrer = chance.choice(known) if known and chance.random() < part else None
            if is_new:
                seen.add(customer)
                met_today.append(customer)
            order = PlannedOrder(
                number=number,
                customer=customer,
                time=_time_of(day, chance),
                quantity=quantity,
                total=total,
                referrer=referrer if referrer != customer else None,
                claiming=_claiming(chance),
                pending_first=chance.random() < PENDING_FIRST_PART,
            )
            days.setdefault(day, PlannedDay(day=day)).orders.append(order)
            _plan_return(order, chance, days)
        known += met_today
    return [days[day] for day in sorted(days)]


def _by_day(
    purchases: Sequence[tuple[str, date, int, Decimal]],
) -> Mapping[date, list[tuple[int, tuple[str, int, Decimal]]]]:
    grouped: dict[date, list[tuple[int, tuple[str, int, Decimal]]]] = {}
    for number, (customer, day, quantity, total) in enumerate(purchases, start=1):
        grouped.setdefault(day, []).append((number, (customer, quantity, total)))
    return grouped


def _time_of(day: date, chance: random.Random) -> datetime:
    minute = _FIRST_MINUTE + chance.randrange(_MINUTES_OF_TRADE)
    return datetime.combine(day, time(tzinfo=UTC)) + timedelta(
        minutes=minute, seconds=chance.randrange(60)
    )


def _claiming(chance: random.Random) -> Claiming:
    drawn = chance.random()
    if drawn < NEVER_CLAIMED_PART:
        return Claiming.NEVER
    return Claiming.BEFORE if drawn < NEVER_CLAIMED_PART + CLAIMED_BEFORE_PART else Claiming.AFTER


def _plan_return(order: PlannedOrder, chance: random.Random, days: dict[date, PlannedDay]) -> None:
    drawn = chance.random()
    if drawn >= REFUNDED_PART + CANCELLED_PART:
        return
    ending = Ending.REFUNDED if drawn < REFUNDED_PART else Ending.CANCELLED
    then = order.time + timedelta(days=chance.randint(*REFUND_DAYS))
    days.setdefault(then.date(), PlannedDay(day=then.date())).returns.append(
        PlannedReturn(order=order, ending=ending, time=then)
    )


def order_bodies(order: PlannedOrder) -> Iterator[dict[str, object]]:
    """What the shop sends of an order, in the order in which it sends it."""
    if order.pending_first:
        yield body_of(order, status="pending", updated=order.time)
    yield body_of(order, status="confirmed", updated=order.time + timedelta(minutes=1))


def body_of(order: PlannedOrder, *, status: str, updated: datetime) -> dict[str, object]:
    """A delivery's body."""
    return {
        "id": order.reference,
        "customerId": order.customer,
        "status": status,
        "token": token_of(order),
        "currency": "USD",
        "totalPrice": format(order.total, "f"),
        "createdAt": order.time.isoformat(),
        "updatedAt": updated.isoformat(),
        "items": [
            {
                "productId": "cd",
                "quantity": order.quantity,
                "price": format(_price(order), "f"),
                "name": "compact-disc",
                "title": "Compact disc",
            }
        ],
    }


def token_of(order: PlannedOrder) -> str:
    """What the order's confirmation page shows to the buyer's browser."""
    return str(uuid5(_NAMES, f"token/{order.reference}/{order.customer}"))


def _price(order: PlannedOrder) -> Decimal:
    cents = round(Fraction(order.total) * 100 / order.quantity)
    return scale(Decimal(cents), -2)

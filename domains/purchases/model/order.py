"""An order, and what an event of it changes."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Self

from domains.purchases.model.evidence import Link
from domains.purchases.model.note import Note
from vocabulary.ids import IdentityGroupId, MerchantId, PurchaseId

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class OrderState(StrEnum):
    """Where an order stands. In the order in which states win at equal times."""

    PENDING = "pending"
    CONFIRMED = "confirmed"
    CANCELLED = "cancelled"
    REFUNDED = "refunded"

    @property
    def rank(self) -> int:
        return list(OrderState).index(self)

    @property
    def is_void(self) -> bool:
        """Whether the order was taken back, so that it earns nothing."""
        return self in {OrderState.CANCELLED, OrderState.REFUNDED}


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderItem:
    """One line of an order. `price` is that of one, in the order's currency.

    None: the shop's report did not say it so that it could be read.
    """

    product_reference: str
    quantity: int | None
    price: Decimal | None
    name: str
    title: str
    image_url: str

    def to_document(self) -> dict[str, object]:
        """As it is stored. Prices are text: JSON numbers are floats to most readers."""
        return {
            "product_reference": self.product_reference,
            "quantity": self.quantity,
            "price": None if self.price is None else format(self.price, "f"),
            "name": self.name,
            "title": self.title,
            "image_url": self.image_url,
        }

    @classmethod
    def from_document(cls, document: dict[str, object]) -> Self:
        return cls(
            product_reference=str(document["product_reference"]),
            quantity=None if (count := document["quantity"]) is None else int(str(count)),
            price=None if (price := document["price"]) is None else Decimal(str(price)),
            name=str(document["name"]),
            title=str(document["title"]),
            image_url=str(document["image_url"]),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderEvent:
    """What one delivery says of an order.

    `customer_reference` is None for a guest, `client_id` None when the order carries none, `items`
    when it says nothing of the lines. `subtotal` is what all lines come to, also those that are
    not kept, in the same report's currency; None: it is not known. `order_time` is
    never later than the delivery's receipt, `event_time` by a few minutes at the most, and
    `order_time_stated` says that the shop named the first. `notes` say what was left out.
    """

    order_reference: str
    state: OrderState
    token: str
    customer_reference: str | None
    client_id: str | None
    total: Decimal | None
    currency: str | None
    items: Sequence[OrderItem] | None
    subtotal: Decimal | None
    order_time: datetime
    order_time_stated: bool
    event_time: datetime
    body_hash: bytes
    notes: Sequence[Note] = ()

    @property
    def content_key(self) -> str:
        """Of two events of an order, the one with the higher key says what was bought.

        Of the lines, and of the customer, that one of those which name them at all.
        One that names a total says more than one that does not: shops may report a refund
        with the order's id alone. Among those the order is that of `is_changed_by`.
        """
        return f"{self.total is not None:d}{self.guard_key}"

    @property
    def guard_key(self) -> str:
        """Orders the events of an order as texts: of two, the newer one has the higher key."""
        is_pending = self.state is OrderState.PENDING
        microseconds = (self.event_time - _EPOCH) // timedelta(microseconds=1)
        return f"{not is_pending:d}{microseconds:020d}{self.state.rank}{self.body_hash.hex()}"


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderStanding:
    """What decides whether an event still changes an order.

    A generation is one life of an order: it ends when the order is taken back, and the next
    begins when it is confirmed anew.
    """

    state: OrderState
    event_time: datetime
    body_hash: bytes
    generation: int
    voided: bool

    @classmethod
    def first(cls, event: OrderEvent) -> Self:
        """The standing after the first event that is heard of an order."""
        return cls(
            state=event.state,
            event_time=event.event_time,
            body_hash=event.body_hash,
            generation=1,
            voided=event.state.is_void,
        )

    def is_changed_by(self, event: OrderEvent) -> bool:
        """Whether the event is newer than what is known.

        An order that was once paid does not become unpaid: a pending order knows less than any
        other, whatever the times. At equal times the later state wins, then the higher hash.
        So every order of arrival ends alike.
        """
        known = (self.state is not OrderState.PENDING, self.event_time)
        heard = (event.state is not OrderState.PENDING, event.event_time)
        return (*heard, event.state.rank, event.body_hash) > (
            *known,
            self.state.rank,
            self.body_hash,
        )

    def after(self, event: OrderEvent) -> Self:
        """The standing after the event."""
        if not self.is_changed_by(event):
            return self
        reborn = self.voided and event.state is OrderState.CONFIRMED
        return replace(
            self,
            state=event.state,
            event_time=event.event_time,
            body_hash=event.body_hash,
            generation=self.generation + 1 if reborn else self.generation,
            voided=event.state.is_void or (self.voided and not reborn),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Purchase:
    """An order that the shop has reported, first at `report_time`."""

    purchase_id: PurchaseId
    merchant_id: MerchantId
    order_reference: str
    customer_reference: str | None
    state: OrderState
    total: Decimal | None
    currency: str | None
    items: Sequence[OrderItem]
    subtotal: Decimal | None
    identity_group_id: IdentityGroupId | None
    link: Link | None
    generation: int
    order_time: datetime
    report_time: datetime
    event_time: datetime


def token_digest(token: str) -> bytes:
    """What is stored of an order's token: enough to recognise it, not enough to show it."""
    return hashlib.sha256(token.encode()).digest()

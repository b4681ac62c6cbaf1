"""Shops with an integration of their own."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any, TypeVar

from domains.purchases.errors import BodyUnusableError
from domains.purchases.model.note import Notes, NoteWord
from domains.purchases.model.order import OrderEvent, OrderItem, OrderState
from orchestration.purchase_webhook.platforms import body_signatures, standard_webhooks
from orchestration.purchase_webhook.platforms.body_signatures import BodySignature
from orchestration.purchase_webhook.platforms.proofs import Message, Proof, SignatureFaultyError
from orchestration.purchase_webhook.platforms.reading import Reader, read_object
from orchestration.purchase_webhook.platforms.standard_webhooks import StandardSignature
from vocabulary.currencies import minor_digits
from vocabulary.exact import multiply, round_half_even, total

AHEAD_MAX = timedelta(seconds=5)
"""How much later than its receipt a change may be.

Clocks differ by so much, and of two reports that overtake each other the later one counts.
"""

ITEMS_MAX = 1_000
"""How many lines of an order are kept."""

QUANTITY_MAX = 1_000_000
QUANTITY_DECIMALS = 6
"""What is behind them, programs make of a sum."""

TEXT_CHARACTERS_MAX = 500
TOKEN_CHARACTERS_MAX = 512
ADDRESS_CHARACTERS_MAX = 2_048
CUSTOMER_CHARACTERS_MAX = 255
CLIENT_CHARACTERS_MAX = 128
ITEMS_READ_MAX = 5_000
"""How many lines count for the subtotal. With more of them it is not known."""

_UNREADABLE = OrderItem(
    product_reference="", quantity=1, price=None, name="", title="", image_url=""
)
_LIST_KEY = re.compile("[0-9]{1,10}")
T = TypeVar("T")


class CustomPlatform:
    """Our own format: JSON, signed by Standard Webhooks, or over the body alone."""

    name = "custom"

    def proof_of(self, message: Message, *, now: datetime) -> Proof:
        """The signature that a message carries, in one way.

        With both, whoever takes one of them away would make another delivery of it.

        Raises:
            SignatureFaultyError: it cannot be right, whatever the key.
        """
        is_older = message.carries(body_signatures.SIGNATURE_HEADER)
        if is_older and message.carries(standard_webhooks.SIGNATURE_HEADER):
            raise SignatureFaultyError(
                standard_webhooks.SIGNATURE_HEADER,
                f"and {body_signatures.SIGNATURE_HEADER} are both there: sign in one way",
            )
        if is_older:
            return BodySignature.of(message)
        return StandardSignature.of(message, now=now)

    def parse(self, body: bytes, *, receive_time: datetime, latest_time: datetime) -> OrderEvent:
        """What a body says. The contract's comment on ReceiveCustomOrder has every limit.

        Raises:
            BodyUnusableError: a field that decides is missing or wrong; names the first one.
        """
        notes = Notes()
        order = Reader(document=read_object(body), notes=notes)
        reference = order.need_reference("id")
        state = order.need_word("status", OrderState)
        token = order.need_reference("token", characters_max=TOKEN_CHARACTERS_MAX, is_secret=True)
        taken_back = state in {OrderState.CANCELLED, OrderState.REFUNDED}
        currency = _unless(taken_back, order, "currency", order.need_currency)
        digits = minor_digits(currency)
        paid = _unless(
            taken_back, order, "totalPrice", partial(order.need_money, minor_digits=digits)
        )
        if state is OrderState.CONFIRMED:
            for field, value in (("totalPrice", paid), ("currency", currency)):
                if value is None:
                    raise BodyUnusableError(field, "is required once the order is confirmed")
        placed = _unless(
            taken_back, order, "createdAt", partial(order.need_time, latest_time=latest_time)
        )
        changed = order.need_time("updatedAt", latest_time=latest_time, ahead_max=AHEAD_MAX)
        # Before the lines, of whose notes there may be more than are kept.
        customer = order.take_person("customerId", characters_max=CUSTOMER_CHARACTERS_MAX)
        client = order.take_person(
            "clientId", characters_max=CLIENT_CHARACTERS_MAX, is_browser=True
        )
        lines = _lines(order, minor_digits=digits)
        return OrderEvent(
            order_reference=reference,
            state=state,
            token=token,
            customer_reference=customer,
            client_id=client,
            total=paid,
            currency=currency,
            items=lines.items,
            subtotal=lines.subtotal,
            order_time=placed or receive_time,
            order_time_stated=placed is not None,
            event_time=changed or receive_time,
            body_hash=hashlib.sha256(body).digest(),
            notes=tuple(notes),
        )


def _unless(taken_back: bool, order: Reader, name: str, read: Callable[[str], T]) -> T | None:
    """What a field says. Of an order that was taken back it decides nothing, and may be left out.

    A refund that is lost is a reward that is paid.
    """
    try:
        return read(name)
    except BodyUnusableError:
        if not taken_back:
            raise
        order.notes.add(NoteWord.LEFT_OUT, name)
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Lines:
    items: Sequence[OrderItem] | None
    subtotal: Decimal | None


def _lines(order: Reader, *, minor_digits: int) -> _Lines:
    """The lines that are kept, each in its place, and what all come to, if that is known."""
    value = order.document.get("items")
    if value is None:
        return _Lines(items=None, subtotal=None)
    given = _listed(value)
    if given is None:
        order.notes.add(NoteWord.LEFT_OUT, "items")
        if value == {} or (isinstance(value, str) and not value.strip()):
            return _Lines(items=None, subtotal=None)
        # There are lines, of which nothing can be read: not even how many.
        order.notes.add(NoteWord.SUBTOTAL_UNKNOWN, "items")
        return _Lines(items=(_UNREADABLE,), subtotal=None)
    notes = Notes()
    items = [
        _item(each, path=f"items[{place}]", notes=notes, minor_digits=minor_digits)
        for place, each in given[:ITEMS_READ_MAX]
    ]
    amounts = [
        multiply(item.price, Decimal(item.quantity))
        for item in items
        if item.price is not None and item.quantity is not None
    ]
    is_known = 0 < len(given) == len(amounts)
    if given and not is_known:
        order.notes.add(NoteWord.SUBTOTAL_UNKNOWN, "items")
    if len(given) > ITEMS_MAX:
        order.notes.add(NoteWord.CUT, "items")
    for note in notes:
        order.notes.add(note.word, note.field)
    return _Lines(items=tuple(items[:ITEMS_MAX]), subtotal=total(amounts) if is_known else None)


def _listed(value: Any) -> Sequence[tuple[str, Any]] | None:
    """The lines, each with its place; None if these are none.

    PHP prints a list with gaps as an object with numbers as keys, and may have lines by their
    products.
    """
    if isinstance(value, list):
        return [(str(place), each) for place, each in enumerate(value)]
    if isinstance(value, Mapping) and value:
        if all(_LIST_KEY.fullmatch(key) for key in value):
            return list(value.items())
        if all(isinstance(each, Mapping) for each in value.values()):
            return [(str(place), each) for place, each in enumerate(value.values())]
    return None


def _item(value: Any, *, path: str, notes: Notes, minor_digits: int) -> OrderItem:
    """A line, in its place even if nothing of it can be read.

    Rules ask for lines by their places, and for what was bought.
    """
    is_object = isinstance(value, Mapping)
    line = Reader(document=value if is_object else {}, notes=notes, path=path)
    price = line.take_money("price", minor_digits=minor_digits)
    quantity = _quantity(line)
    whole = None if quantity is None else int(quantity)
    if not is_object:
        notes.add(NoteWord.LEFT_OUT, path)
    elif price is None:
        notes.add(NoteWord.LEFT_OUT, line.path_of("price"))
    if quantity is not None and whole != quantity:
        # Half a kilo is one thing at its price: a line counts things.
        notes.add(NoteWord.TAKEN_AS_ONE, line.path_of("quantity"))
        whole = 1
        price = None if price is None else multiply(price, quantity)
    return OrderItem(
        product_reference=line.take_reference("productId"),
        quantity=whole,
        price=price,
        name=line.take_text("name", characters_max=TEXT_CHARACTERS_MAX),
        title=line.take_text("title", characters_max=TEXT_CHARACTERS_MAX),
        image_url=line.take_web_address("image", characters_max=ADDRESS_CHARACTERS_MAX),
    )


def _quantity(line: Reader) -> Decimal | None:
    """How many; one if that is not said, None if it cannot be read."""
    if not line.is_given("quantity"):
        return Decimal(1)
    number = line.take_number("quantity")
    if number is None or abs(number) > QUANTITY_MAX:
        line.notes.add(NoteWord.LEFT_OUT, line.path_of("quantity"))
        return None
    rounded = round_half_even(number, QUANTITY_DECIMALS)
    if rounded != number:
        line.notes.add(NoteWord.ROUNDED, line.path_of("quantity"))
    return rounded

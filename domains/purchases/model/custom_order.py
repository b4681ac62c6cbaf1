"""The body that shops with an integration of their own send."""

from __future__ import annotations

import hashlib
import json
import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from domains.purchases.errors import BodyUnusableError
from domains.purchases.model.order import OrderEvent, OrderItem, OrderState, is_guest

ITEMS_MAX = 1_000
# What pydantic says of a value, in words that fit behind the name of the field.
_WORDS = {
    "Value error, ": "",
    "Input should": "must",
    "String should": "must",
    "List should": "must",
}
_SAYS = {
    "missing": "is required",
    "string_type": "must be a text or a whole number",
    "string_pattern_mismatch": "must be three capital letters, as in USD",
    "too_short": "must not be empty",
    "string_too_short": "must not be empty",
}
_INSTANT_ERRORS = "datetime"
NUMBER_DIGITS_MAX = 40
_NUL = re.compile(rb"\\u0000")
DECIMAL = re.compile(r"[0-9]{1,20}(\.[0-9]{1,12})?")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
FUTURE_MAX = timedelta(days=1)
"""How far a shop's clock may be ahead of ours. Reports of one order are told apart by the shop's
own times; cutting them at ours would lose a refund that a slow clock of ours received."""


def _reference(value: Any) -> Any:
    """Shops number their things, or name them; we keep text."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return value


def _optional(value: Any) -> Any:
    return None if value == "" else value


def _money(value: Any) -> Any:
    """Exact decimal numbers only, as text or as a JSON number."""
    if isinstance(value, (int, Decimal)) and not isinstance(value, bool):
        value = _digits_of(Decimal(value))
    if not isinstance(value, str) or DECIMAL.fullmatch(value) is None:
        message = "must be a decimal number like 59.80, not negative"
        raise ValueError(message)
    return Decimal(value)


def _digits_of(number: Decimal) -> str | None:
    """A number without an exponent, or None: of `1e999999999` the digits fill the memory."""
    digits, exponent = number.as_tuple()[1:]
    if not isinstance(exponent, int) or max(len(digits), abs(exponent)) > NUMBER_DIGITS_MAX:
        return None
    return format(number, "f")


Reference = Annotated[str, BeforeValidator(_reference), Field(min_length=1, max_length=255)]
# Limits stand on the text inside: on a value that may be absent they would be asked of None.
OptionalReference = Annotated[
    Annotated[str, Field(max_length=255)] | None, BeforeValidator(_reference), Field(default=None)
]
Money = Annotated[Decimal, BeforeValidator(_money)]
OptionalMoney = Annotated[
    Decimal | None,
    BeforeValidator(lambda value: None if value is None or value == "" else _money(value)),
    Field(default=None),
]
Instant = Annotated[AwareDatetime | None, BeforeValidator(_optional), Field(default=None)]


class _Body(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, strict=False, extra="ignore")


class _Item(_Body):
    product_id: Reference
    quantity: Annotated[int, Field(ge=1, le=1_000_000, strict=True)]
    price: Money
    name: Annotated[str, Field(max_length=500)] = ""
    title: Annotated[str, Field(max_length=500)] = ""
    image: Annotated[str | None, Field(max_length=2048)] = None


class _Order(_Body):
    id: Reference
    customer_id: OptionalReference
    status: OrderState
    token: Reference
    currency: Annotated[
        Annotated[str, Field(pattern=r"^[A-Z]{3}$")] | None, BeforeValidator(_optional)
    ] = None
    total_price: OptionalMoney
    client_id: Annotated[
        Annotated[str, Field(max_length=128)] | None, BeforeValidator(_optional)
    ] = None
    created_at: Instant
    updated_at: Instant
    items: Annotated[list[_Item], Field(max_length=ITEMS_MAX)] | None = None


def parse_custom_order(body: bytes, *, receive_time: datetime, now: datetime) -> OrderEvent:
    """What a body says. Ids are kept as text, whole numbers of any size included.

    Where it names no time, the receipt's stands; a time that it names lies in the future as seen
    from `now`, which is later than the receipt if the body was repaired or is tried again.

    Raises:
        BodyUnusableError: it is no JSON object, or a field is missing or wrong; names the
            field by its path in the body.
    """
    order = _read(body)
    if order.status is OrderState.CONFIRMED:
        for field, value in (("totalPrice", order.total_price), ("currency", order.currency)):
            if value is None:
                raise BodyUnusableError(field, "is required once the order is confirmed")
    customer = order.customer_id
    return OrderEvent(
        order_reference=order.id,
        state=order.status,
        token=order.token,
        customer_reference=None if customer is None or is_guest(customer) else customer,
        client_id=order.client_id,
        total=order.total_price,
        currency=order.currency,
        items=None
        if order.items is None
        else tuple(
            OrderItem(
                product_reference=item.product_id,
                quantity=item.quantity,
                price=item.price,
                name=item.name,
                title=item.title,
                image_url=item.image or "",
            )
            for item in order.items
        ),
        order_time=_instant("createdAt", order.created_at, receive_time, latest=now),
        order_time_stated=order.created_at is not None,
        event_time=_instant("updatedAt", order.updated_at, receive_time, latest=now + FUTURE_MAX),
        body_hash=hashlib.sha256(body).digest(),
    )


def _read(body: bytes) -> _Order:
    try:
        document = json.loads(
            body.decode("utf-8-sig"),
            parse_float=Decimal,
            parse_int=_whole_number,
            parse_constant=_no_number,
        )
        if b"\\u" in body:
            # Escapes can spell what is no text: half a surrogate pair, or NUL.
            json.dumps(document, ensure_ascii=False, default=str).encode()
            if _NUL.search(body):
                raise BodyUnusableError("", "contains a NUL character")
    except (ValueError, RecursionError) as failure:
        raise BodyUnusableError("", "is not readable JSON in UTF-8") from failure
    if not isinstance(document, dict):
        raise BodyUnusableError("", "is not a JSON object")
    try:
        return _Order.model_validate(document)
    except ValidationError as failure:
        first = failure.errors(include_url=False, include_input=False)[0]
        raise BodyUnusableError(_path(first["loc"]), _says(first)) from None


def _whole_number(digits: str) -> int:
    if len(digits) > NUMBER_DIGITS_MAX:
        raise ValueError
    return int(digits)


def _no_number(_: str) -> float:
    raise ValueError


def _instant(
    field: str, instant: datetime | None, receive_time: datetime, *, latest: datetime
) -> datetime:
    """The instant, but not later than `latest`; the receipt if it is absent."""
    if instant is None:
        return receive_time
    if instant >= latest:
        return latest
    if instant < _EPOCH:
        # What programs write when they have no time. No window of a budget lies there.
        raise BodyUnusableError(field, "is before 1970")
    return instant.astimezone(UTC)


def _path(location: tuple[int | str, ...]) -> str:
    text = ""
    for part in location:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def _says(error: Any) -> str:
    kind: str = error["type"]
    if kind in _SAYS:
        return _SAYS[kind]
    if _INSTANT_ERRORS in kind or "timezone" in kind:
        return "must be a time with its zone, as in 2026-01-08T10:15:31Z"
    message: str = error["msg"]
    for said, better in _WORDS.items():
        message = message.replace(said, better)
    return message

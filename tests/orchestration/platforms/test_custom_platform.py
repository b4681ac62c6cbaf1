"""What shops with an integration of their own may send: every field by every kind of value."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domains.purchases.errors import BodyUnusableError
from domains.purchases.model import OrderEvent
from domains.purchases.model.note import NoteWord
from orchestration.purchase_webhook.platforms import CustomPlatform
from orchestration.purchase_webhook.platforms.custom import ITEMS_MAX, ITEMS_READ_MAX

GOLDEN = Path(__file__).parents[2] / "golden" / "custom_order_fields.txt"
RECEIVED = datetime(2026, 11, 25, 12, tzinfo=UTC)
ABSENT = object()

ITEM: Mapping[str, Any] = {
    "productId": "sku-41",
    "quantity": 2,
    "price": "29.90",
    "name": "blue-mug",
    "title": "Blue mug",
    "image": "https://shop.example/mug.png",
}
ORDER: Mapping[str, Any] = {
    "id": "A-1001",
    "status": "confirmed",
    "token": "tok_9f2c",
    "currency": "EUR",
    "totalPrice": "59.80",
    "createdAt": "2026-11-25T10:15:31Z",
    "updatedAt": "2026-11-25T10:15:31Z",
    "customerId": "cust-77",
    "clientId": "4b1c2f0a-6a0e-4d0f-9d5b-0f5f6e7a8b9c",
    "items": [ITEM],
}
NUMBERS = {"totalPrice", "items[].quantity", "items[].price"}
TIMES = {"createdAt", "updatedAt"}


class Raw:
    """JSON as it stands."""

    def __init__(self, text: str) -> None:
        self.text = text


ANYTHING: dict[str, Any] = {
    "null": None,
    "absent": ABSENT,
    "empty text": "",
    "blank text": "  ",
    "true": True,
    "an object": {"a": 1},
    "a list": [1],
    "a list in a list": [[1]],
    "a whole number": 41,
    "a number as text": "41",
    "a decimal number": 12.5,
    "a float's artefact": 472.18500000000006,
    "that as text": "472.18500000000006",
    "a comma in a number": "12,50",
    "zero": 0,
    "zero as text": "0",
    "a negative number": -3,
    "NaN": math.nan,
    "a huge exponent": Raw("1e999999999"),
    "an impossible exponent": Raw("1e99999999999999999999"),
    "101 digits": Raw("9" * 101),
    "256 characters": "x" * 256,
    "2,049 characters": "https://x" + "y" * 2040,
    "other letters": "Bücher ☃ \U0001f408",
    "a right-to-left mark": "a\u202eb",
    "NUL": "a\0b",
    "half a surrogate pair": Raw('"a\\ud800b"'),
    "undefined": "undefined",
    "[object Object]": "[object Object]",
    "guest": "guest",
}
"""What every field is tried with."""


def values_for(field: str) -> dict[str, Any]:
    """What a field is tried with, by what that is."""
    tried = dict(ANYTHING)
    if field in TIMES:
        tried |= {
            "local time": "2026-11-25T10:15:31",
            "a date": "2026-11-25",
            "digits of a date": "20261125",
            "seconds": 1795601731,
            "seconds as text": "1795601731",
            "seconds with a fraction": 1795601731.25,
            "milliseconds": 1795601731000,
            "an offset": "2026-11-25T12:15:31.123456789+02:00",
            "lower case": "2026-11-25t10:15:31z",
            "a leap second": "2016-12-31T23:59:60Z",
            "before 2000": "1999-12-31T23:59:59Z",
            "before 2000, as seconds": 946684799,
            "before 1990": "1989-12-31T23:59:59Z",
            "what programs print for none": "1970-01-01T00:00:00+00:00",
            "tomorrow": "2026-11-26T10:15:31Z",
            "the year 9999": "9999-12-31T23:59:59Z",
            "the 31st of April": "2026-04-31T10:15:31Z",
        }
    if field == "items":
        tried |= {
            "no lines": [],
            "PHP's list with gaps": {"0": dict(ITEM), "2": dict(ITEM)},
            "1,001 lines": [dict(ITEM)] * 1001,
            "a line that is null": [dict(ITEM), None],
        }
    if field == "status":
        tried |= {"another case": "Confirmed", "another word": "processing"}
    if field == "currency":
        tried |= {"small letters": "eur", "a sign": "€"}
    if field == "items[].image":
        tried |= {"a data URI": "data:image/png;base64,AAAA"}
    if field in {"items[].title", "items[].name"}:
        tried |= {"501 characters": "x" * 501}
    if field == "items[].quantity":
        tried |= {"half": 0.5, "1,000,001": 1_000_001}
    return tried


def body_with(field: str, value: Any) -> bytes:
    """An order that is right but for one field."""
    order: dict[str, Any] = dict(ORDER)
    holder, name = order, field
    if field.startswith("items[]."):
        holder, name = dict(ITEM), field.removeprefix("items[].")
        order["items"] = [holder]
    mark = "@@"
    if value is ABSENT:
        del holder[name]
    else:
        holder[name] = mark if isinstance(value, Raw) else value
    text = json.dumps(order)
    return (text.replace(f'"{mark}"', value.text) if isinstance(value, Raw) else text).encode()


def parse(body: bytes) -> OrderEvent:
    return CustomPlatform().parse(body, receive_time=RECEIVED, latest_time=RECEIVED)


def verdict_on(body: bytes) -> str:
    try:
        event = parse(body)
    except BodyUnusableError as unusable:
        return f"refused: {unusable}"
    notes = sorted({f"{note.word} {note.field}" for note in event.notes})
    return f"taken, {', '.join(notes)}" if notes else "taken"


FIELDS = [*ORDER, *(f"items[].{name}" for name in ITEM)]


def table() -> str:
    lines = []
    for field in FIELDS:
        lines.append(field)
        lines += [
            f"    {name:24} {verdict_on(body_with(field, value))}"
            for name, value in values_for(field).items()
        ]
    return "\n".join(lines) + "\n"


def test_every_field_by_every_kind_of_value(request: pytest.FixtureRequest) -> None:
    """What becomes of a shop's mistake would be an accident."""
    found = table()
    if request.config.getoption("--update-golden"):
        GOLDEN.write_text(found, encoding="utf-8")
    assert found == GOLDEN.read_text(encoding="utf-8")


def test_a_refusal_names_its_field_and_shows_what_was_sent() -> None:
    """A developer would look for the fault in another field."""
    for field in FIELDS:
        for value in values_for(field).values():
            verdict = verdict_on(body_with(field, value))
            if verdict.startswith("refused: "):
                assert verdict.startswith(f"refused: {field} "), verdict
                assert len(verdict) < 220, verdict


def test_only_what_decides_is_refused() -> None:
    """A cosmetic detail would cost a buyer their reward."""
    strict = {"id", "status", "token", "currency", "totalPrice", "createdAt", "updatedAt"}
    refused = {
        field
        for field in FIELDS
        for value in values_for(field).values()
        if verdict_on(body_with(field, value)).startswith("refused")
    }
    assert refused == strict


def javascript(order: Any) -> str:
    """As `JSON.stringify` prints it: the shortest digits, and what is undefined left out."""
    return json.dumps(_without_absent(order), separators=(",", ":"), ensure_ascii=False)


def php(order: Any) -> str:
    """As `json_encode` prints it with 17 digits, as many servers are set up."""
    text = json.dumps(_without_absent(order), separators=(",", ":"), default=str)
    order = json.loads(text, parse_float=lambda digits: Php(float(digits)))
    return _printed(order).replace("/", "\\/")


def python(order: Any) -> str:
    """As `json.dumps` prints it; what a data frame had no number for is NaN."""
    return json.dumps(_without_absent(order) | {"weight": math.nan, "discount": None})


class Php(float):
    """A float that prints all its digits."""


def _without_absent(order: Any) -> Any:
    return {key: each for key, each in order.items() if each is not ABSENT}


def _printed(value: Any) -> str:
    match value:
        case Php():
            return f"{value:.17G}"
        case dict():
            members = [f"{json.dumps(key)}:{_printed(each)}" for key, each in value.items()]
            return "{" + ",".join(members) + "}"
        case list():
            return "[" + ",".join(_printed(each) for each in value) + "]"
        case _:
            return json.dumps(value)


PRICES = st.integers(min_value=-50_000, max_value=500_000)
SKUS = st.text(alphabet="ABCdef-_.0123456789", max_size=40)
NAMES = st.one_of(st.none(), st.just(ABSENT), st.text(max_size=600), st.integers())
LINES = st.fixed_dictionaries(
    {
        "productId": st.one_of(st.integers(min_value=0, max_value=10**12), SKUS),
        "quantity": st.integers(min_value=0, max_value=20),
        "price": PRICES,
        "title": NAMES,
        "name": NAMES,
        "image": st.one_of(st.none(), st.just(""), st.just("https://shop.example/a b.png")),
    }
)
ORDERS = st.fixed_dictionaries(
    {
        "id": st.integers(min_value=1, max_value=10**18),
        "status": st.sampled_from(["pending", "confirmed", "cancelled", "refunded"]),
        "token": st.text(alphabet="0123456789abcdef", min_size=16, max_size=64),
        "currency": st.sampled_from(["EUR", "JPY", "KWD", "USD"]),
        "customerId": st.one_of(st.none(), st.integers(min_value=0, max_value=10**9)),
        "createdAt": st.integers(min_value=0, max_value=10**6),
        "items": st.one_of(st.none(), st.lists(LINES, max_size=6)),
    }
)


@pytest.mark.parametrize("printer", [javascript, php, python])
@settings(max_examples=350, deadline=None)
@given(plan=ORDERS)
def test_orders_are_taken_as_shops_of_all_kinds_print_them(
    printer: Callable[[Any], str], plan: Any
) -> None:
    """A shop's language would decide whether its buyers earn."""
    digits = {"JPY": 0, "KWD": 3}.get(plan["currency"], 2)
    lines = plan["items"] or []
    parts = [line["quantity"] * line["price"] for line in lines]
    amount = abs(sum(parts)) or 1
    # Sums as programs make them of floats.
    said = abs(sum(part / 10**digits for part in parts)) or 1 / 10**digits
    order = {
        **plan,
        "totalPrice": said,
        "createdAt": (RECEIVED - timedelta(seconds=plan["createdAt"])).isoformat(),
        "items": plan["items"]
        and [_without_absent({**line, "price": line["price"] / 10**digits}) for line in lines],
    }

    event = parse(printer(order).encode())

    assert event.order_reference == str(plan["id"])
    assert event.total is not None
    assert abs(event.total - Decimal(amount).scaleb(-digits)) < Decimal(1).scaleb(-digits - 3)
    assert len(event.items or ()) == len(lines)
    assert event.subtotal == (Decimal(sum(parts)).scaleb(-digits) if lines else None)
    assert {note.word for note in event.notes} <= {
        NoteWord.ROUNDED,
        NoteWord.CUT,
        NoteWord.NAMES_NOBODY,
        NoteWord.MORE,
    }


def an_order(**changed: Any) -> bytes:
    return json.dumps({**ORDER, **changed}).encode()


def test_the_subtotal_is_that_of_all_lines_and_only_if_all_are_known() -> None:
    """A percentage would be of a part of the order."""
    many = [dict(ITEM) for _ in range(ITEMS_MAX + 1)]
    event = parse(an_order(items=many))
    assert (len(event.items or ()), event.subtotal) == (ITEMS_MAX, Decimal("59.80") * len(many))

    too_many = parse(an_order(items=[dict(ITEM)] * (ITEMS_READ_MAX + 1)))
    assert (len(too_many.items or ()), too_many.subtotal) == (ITEMS_MAX, None)

    for wrong in ({"price": "?"}, {"quantity": "many"}, {"price": None}):
        event = parse(an_order(items=[ITEM, {**ITEM, **wrong}]))
        assert (len(event.items or ()), event.subtotal) == (2, None)

    discounted = parse(an_order(items=[ITEM, {"price": "-70", "quantity": "1"}]))
    assert discounted.subtotal == Decimal("-10.20")
    weighed = parse(an_order(items=[{**ITEM, "quantity": 0.125}]))
    (line,) = weighed.items or ()
    assert (line.quantity, line.price, weighed.subtotal) == (
        1,
        Decimal("3.73750"),
        Decimal("3.7375"),
    )


def test_an_amount_is_what_the_text_says_and_a_number_what_it_means() -> None:
    """Somebody would be paid for a digit that a program made up."""
    assert parse(an_order(totalPrice="0.123456789012")).total == Decimal("0.123456789012")
    number = an_order(totalPrice=0).replace(b'"totalPrice": 0', b'"totalPrice": 472.18500000000006')
    assert parse(number).total == Decimal("472.185")
    yen = an_order(totalPrice=0, currency="JPY").replace(
        b'"totalPrice": 0', b'"totalPrice": 1999.99999'
    )
    assert parse(yen).total == Decimal(2000)
    half = an_order(totalPrice=0).replace(b'"totalPrice": 0', b'"totalPrice": 0.0000005')
    assert parse(half).total == 0


@pytest.mark.parametrize(
    "left_out", [{}, {"items": None}, {"items": ""}, {"items": " "}, {"items": {}}]
)
def test_lines_that_are_left_out_are_not_said_to_be_none(left_out: Mapping[str, Any]) -> None:
    """A report of less would take away what another one told."""
    body = {**{name: value for name, value in ORDER.items() if name != "items"}, **left_out}
    assert parse(json.dumps(body).encode()).items is None
    assert parse(an_order(items=[])).items == ()

"""What an order's numbers, times and lines are taken as."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from domains.purchases.errors import BodyUnusableError
from domains.purchases.model.note import Note, NoteWord
from domains.purchases.platforms.custom import AHEAD_MAX
from tests.domains.purchases.test_custom_platform import ITEM, RECEIVED, an_order, parse


def with_number(field: str, digits: str, **changed: Any) -> bytes:
    """An order with a number printed as it stands here."""
    return an_order(**{field: 0, **changed}).replace(
        f'"{field}": 0'.encode(), f'"{field}": {digits}'.encode()
    )


@pytest.mark.parametrize("name", ["id", "token", "customerId", "clientId"])
def test_a_whole_number_with_a_point_is_that_number(name: str) -> None:
    """Data frames print the ids of a column with gaps as 41.0."""
    event = parse(with_number(name, "41.0"))
    said = {
        "id": event.order_reference,
        "token": event.token,
        "customerId": event.customer_reference,
        "clientId": event.client_id,
    }
    assert (said[name], event.notes) == ("41", ())


def test_a_float_with_all_its_digits_is_an_amount() -> None:
    """PHP prints them with serialize_precision=100, and the order is paid."""
    digits = "67.2000000000000028421709430404007434844970703125"
    assert parse(with_number("totalPrice", digits)).total == Decimal("67.2")


@pytest.mark.parametrize(
    ("digits", "problem"),
    [
        ("9" * 101, "id is a number of 101 digits; 100 are the most"),
        ("4.5", "id is 4.5; it must be a text or a whole number"),
    ],
)
def test_a_number_that_is_no_id_is_told_why(digits: str, problem: str) -> None:
    """A developer would read that a whole number must be a whole number."""
    with pytest.raises(BodyUnusableError) as refused:
        parse(with_number("id", digits))
    assert str(refused.value) == problem


@pytest.mark.parametrize(
    "digits", ["20261125101531", '"20261125101531"', "1e-9999999", f"1.{'1' * 400}"]
)
def test_digits_that_are_no_time_are_refused(digits: str) -> None:
    """The digits of a date would be taken as the year 2612, others as a fault of ours."""
    with pytest.raises(BodyUnusableError) as refused:
        parse(with_number("createdAt", digits))
    assert str(refused.value).startswith("createdAt is ")
    assert "RFC 3339 with seconds and a zone" in str(refused.value)


@pytest.mark.parametrize(
    ("field", "ahead", "taken"),
    [
        ("createdAt", timedelta(seconds=1), timedelta()),
        ("createdAt", timedelta(days=1), timedelta()),
        ("updatedAt", AHEAD_MAX, AHEAD_MAX),
        ("updatedAt", AHEAD_MAX + timedelta(seconds=1), timedelta()),
        ("updatedAt", timedelta(microseconds=-250_000), timedelta(microseconds=-250_000)),
        ("createdAt", timedelta(microseconds=-250_000), timedelta(microseconds=-250_000)),
    ],
)
def test_a_time_is_as_late_as_it_may_be(field: str, ahead: timedelta, taken: timedelta) -> None:
    """An order of tomorrow would be credited to a link that is followed tomorrow."""
    event = parse(an_order(**{field: (RECEIVED + ahead).isoformat()}))

    time = event.order_time if field == "createdAt" else event.event_time
    assert time == RECEIVED + taken
    note = Note(word=NoteWord.TAKEN_AS_RECEIPT, field=field)
    assert (note in event.notes) == (ahead != taken)


def test_an_amount_has_no_more_digits_than_can_be_kept() -> None:
    """It would be kept as a fault of ours, and tried again in vain."""
    assert parse(an_order(totalPrice="9" * 20)).total == Decimal("9" * 20)
    with pytest.raises(BodyUnusableError) as refused:
        parse(an_order(totalPrice="9" * 21))
    assert "with 21 digits before the point" in str(refused.value)


def test_a_line_stands_in_its_place_whatever_of_it_can_be_read() -> None:
    """What is excluded would be paid: the next line would be asked in its place."""
    card = {"productId": "gift-card", "quantity": 1, "price": "1,250.00"}
    event = parse(an_order(items=[card, None, ITEM]))

    first, second, third = event.items or ()
    assert (first.product_reference, first.price, first.quantity) == ("gift-card", None, 1)
    assert (second.product_reference, second.price) == ("", None)
    assert third.product_reference == ITEM["productId"]
    assert event.subtotal is None
    assert [(note.word, note.field) for note in event.notes] == [
        (NoteWord.SUBTOTAL_UNKNOWN, "items"),
        (NoteWord.LEFT_OUT, "items[0].price"),
        (NoteWord.LEFT_OUT, "items[1]"),
    ]


@pytest.mark.parametrize(
    ("quantity", "taken", "words"),
    [
        ("", (1, "29.90"), []),
        (None, (1, "29.90"), []),
        (3.0000000000000004, (3, "29.90"), [NoteWord.ROUNDED]),
        (0.5, (1, "14.950"), [NoteWord.TAKEN_AS_ONE]),
        ("0.5", (1, "14.950"), [NoteWord.TAKEN_AS_ONE]),
        ("many", (None, "29.90"), [NoteWord.SUBTOTAL_UNKNOWN, NoteWord.LEFT_OUT]),
        (1_000_001, (None, "29.90"), [NoteWord.SUBTOTAL_UNKNOWN, NoteWord.LEFT_OUT]),
    ],
)
def test_a_quantity_is_taken_as_it_is_meant(
    quantity: object, taken: tuple[int | None, str], words: list[NoteWord]
) -> None:
    """A line would be gone, or be another number of things than were bought."""
    event = parse(an_order(items=[{**ITEM, "price": "29.90", "quantity": quantity}]))

    (line,) = event.items or ()
    assert (line.quantity, str(line.price)) == taken
    assert [note.word for note in event.notes] == words


def test_what_is_said_of_the_order_is_noted_before_what_is_said_of_its_lines() -> None:
    """Twenty pictures without a scheme would hide that the buyer is nobody."""
    lines = [{**ITEM, "image": "//cdn.example/mug.png"}] * 25
    event = parse(an_order(items=[*lines, "?"], clientId="undefined"))

    assert [note.word for note in event.notes[:3]] == [
        NoteWord.NAMES_NOBODY,
        NoteWord.SUBTOTAL_UNKNOWN,
        NoteWord.LEFT_OUT,
    ]
    assert event.notes[-1].word is NoteWord.MORE


def test_lines_that_php_printed_as_an_object_are_named_by_their_keys() -> None:
    """A developer would look at another line."""
    event = parse(an_order(items={"0": ITEM, "7": {**ITEM, "price": "?"}}))
    assert [note.field for note in event.notes] == ["items", "items[7].price"]


def test_a_raw_line_break_in_a_text_loses_no_order() -> None:
    """Some programs print JSON by hand."""
    body = an_order(items=[{**ITEM, "title": "a b"}]).replace(b"a b", b"a\nb\tc")
    (line,) = parse(body).items or ()
    assert line.title == "a\nb\tc"

"""What an order's numbers, times and lines are taken as."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from domains.purchases.errors import BodyUnusableError
from domains.purchases.model.note import Note, NoteWord
from orchestration.purchase_webhook.platforms.custom import AHEAD_MAX
from tests.orchestration.platforms.test_custom_platform import ITEM, RECEIVED, an_order, parse


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
    assert "RFC 3339 with its zone" in str(refused.value)


@pytest.mark.parametrize(
    ("field", "ahead", "taken"),
    [
        ("createdAt", timedelta(seconds=1), timedelta()),
        ("createdAt", timedelta(days=1), timedelta()),
        ("updatedAt", AHEAD_MAX, AHEAD_MAX),
        ("updatedAt", AHEAD_MAX + timedelta(seconds=1), AHEAD_MAX),
        ("updatedAt", timedelta(hours=2), AHEAD_MAX),
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


@pytest.mark.parametrize(
    ("said", "second"),
    [
        ("2026-11-25T10:15Z", 0),
        ("2026-11-25T11:15+01:00", 0),
        ("2026-11-25T11:15:31+0100", 31),
        ("2026-11-25T11:15:31.250+01", 31),
        ("2026-11-25 05:15:31-0500", 31),
    ],
)
def test_a_time_is_taken_as_programs_print_it(said: str, second: int) -> None:
    """One order in sixty would be lost of a shop in Java, which leaves out seconds of zero."""
    time = parse(an_order(createdAt=said)).order_time
    assert time.replace(microsecond=0) == datetime(2026, 11, 25, 10, 15, second, tzinfo=UTC)


@pytest.mark.parametrize("said", ["2026-11-25T10Z", "2026-11-25T10:15", "2026-11-25T10:15:31+1"])
def test_a_time_that_says_too_little_is_refused(said: str) -> None:
    """It would be guessed at."""
    with pytest.raises(BodyUnusableError):
        parse(an_order(createdAt=said))


@pytest.mark.parametrize(
    "items",
    [True, 0, "[]", "null", '[{"price": "1.00"}]', ITEM, {"line_items": []}, {"0": ITEM, "n": 1}],
)
def test_lines_that_cannot_be_read_are_some(items: object) -> None:
    """Nobody knows what was bought: a part of its worth would be one of the whole total."""
    event = parse(an_order(items=items))

    assert event.items is not None
    [line] = event.items
    assert (line.product_reference, line.price, event.subtotal) == ("", None, None)
    assert [str(note.word) for note in event.notes] == ["left_out", "subtotal_unknown"]


def test_lines_may_stand_by_their_products() -> None:
    """PHP prints an array with such keys as an object."""
    event = parse(an_order(items={"mug": {**ITEM, "price": "8.00", "quantity": 1}, "cup": ITEM}))

    assert event.items is not None
    assert (len(event.items), event.items[0].price, event.notes) == (2, Decimal(8), ())


REFUSED_IN_AN_ORDER = {
    "totalPrice": ["N/A", "100,00", -100, {}, True],
    "currency": ["eur", "EURO", 978],
    "createdAt": ["0001-01-01T00:00:00Z", "yesterday", "0000-00-00 00:00:00", 0],
}


@pytest.mark.parametrize("status", ["cancelled", "refunded", "confirmed", "pending"])
@pytest.mark.parametrize(
    ("field", "value"),
    [(field, value) for field, values in REFUSED_IN_AN_ORDER.items() for value in values],
)
def test_what_was_taken_back_is_so_whatever_else_is_said(
    status: str, field: str, value: object
) -> None:
    """A refund that is refused is a reward that is paid."""
    body = an_order(status=status, **{field: value})
    if status in {"confirmed", "pending"}:
        with pytest.raises(BodyUnusableError):
            parse(body)
        return

    event = parse(body)

    assert (str(event.state), event.order_reference) == (status, "A-1001")
    assert Note(word=NoteWord.LEFT_OUT, field=field) in event.notes


def test_a_byte_that_is_no_text_spoils_its_own_field_only() -> None:
    """A program cut a title in the middle of a letter, and a paid order would be lost."""
    mark = b'"title": "'
    body = an_order(items=[{**ITEM, "title": ""}])
    event = parse(body.replace(mark, mark + b"Caf\xc3"))
    assert event.items is not None
    assert event.items[0].title == "Caf?"
    assert [note.field for note in event.notes] == ["items[0].title"]

    with pytest.raises(BodyUnusableError) as refused:
        parse(body.replace(b"A-1001", b"A-\xe9"))
    assert refused.value.field == "id"


@pytest.mark.parametrize(
    ("said", "taken"),
    [("ann\n", "ann"), (" ann", "ann"), ("b\xe9n", None), ("a\tb", None), ("\ufeffnull", None)],
)
def test_a_browser_is_called_what_a_header_can_carry(said: str, taken: str | None) -> None:
    """A person would be made who can never come, and be credited before the one who came."""
    assert parse(an_order(clientId=said)).client_id == taken


def test_ids_have_no_white_space_around_them() -> None:
    """A template that ends with a line break would name another order than the page claims."""
    event = parse(an_order(id=" A-1\n", token="t\r\n", customerId="\tc-1"))
    assert (event.order_reference, event.token, event.customer_reference) == ("A-1", "t", "c-1")


def test_a_total_as_text_may_have_the_digits_that_programs_make() -> None:
    """`String(0.1 + 0.2)` is how a page prints a sum."""
    event = parse(an_order(totalPrice="0.30000000000000004"))
    assert event.total == Decimal("0.3")
    assert event.notes == (Note(word=NoteWord.ROUNDED, field="totalPrice"),)


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

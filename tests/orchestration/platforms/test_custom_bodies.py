"""What a whole body of a shop with an integration of its own may be, and what reading it costs."""

from __future__ import annotations

import pytest

from domains.purchases.errors import BodyUnusableError
from domains.purchases.model.note import NOTES_MAX, NoteWord
from orchestration.purchase_webhook.platforms.reading import COMMAS_MAX, NESTS_MAX
from tests.orchestration.platforms.test_custom_platform import an_order, parse


def test_what_a_report_costs_does_not_depend_on_what_is_wrong_in_it() -> None:
    """A body of a megabyte would fill the inbox with notes."""
    event = parse(an_order(items=[{}] * 10_000))
    assert len(list(event.notes)) == NOTES_MAX
    assert event.notes[-1].word is NoteWord.MORE


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (b"", "the body is no JSON: Expecting value at line 1, column 1"),
        (b"[1]", "the body is a list, not a JSON object"),
        (b"null", "the body is null, not a JSON object"),
        (b"\xff\xfe{\0}\0", "the body is no JSON: Expecting value at line 1, column 1"),
        (b"{" * 20_000, "the body is no JSON: Expecting property name enclosed"),
        (b'{"a":' * 20_000, "the body is nested too deeply to be read"),
    ],
)
def test_a_body_that_is_no_object_is_told_what_it_is(body: bytes, problem: str) -> None:
    """A developer would read `invalid`, and look at the signature."""
    with pytest.raises(BodyUnusableError) as refused:
        parse(body)
    assert str(refused.value).startswith(problem)


@pytest.mark.parametrize(
    ("unit", "count", "what"),
    [
        ("{},", NESTS_MAX, "20,000 objects and lists"),
        ("[],", NESTS_MAX, "20,000 objects and lists"),
        ("0,", COMMAS_MAX, "100,000 commas"),
    ],
)
def test_a_body_of_very_many_parts_is_refused_unread(unit: str, count: int, what: str) -> None:
    """One shop's body would keep all others' calls waiting while it is read."""

    def body(units: int) -> bytes:
        filled = "[" + (unit * units).rstrip(",") + "]"
        return an_order(extra=0).replace(b'"extra": 0', f'"extra": {filled}'.encode())

    own = an_order(extra=[])
    beside = own.count(b"{") + own.count(b"[") if count == NESTS_MAX else own.count(b",") - 1
    assert parse(body(count - beside)).order_reference == "A-1001"
    with pytest.raises(BodyUnusableError) as refused:
        parse(body(count - beside + 1))
    assert str(refused.value) == f"the body has more than {what}"


def test_a_mark_at_the_beginning_is_no_fault() -> None:
    """Editors on Windows write one."""
    assert parse(b"\xef\xbb\xbf" + an_order()).order_reference == "A-1001"


@pytest.mark.parametrize("name", ["id", "status", "token", "currency", "totalPrice", "updatedAt"])
def test_a_key_that_decides_and_is_there_twice_is_refused(name: str) -> None:
    """One of the two amounts would be paid for, and nobody could say which was meant."""
    body = an_order().replace(b"{", b'{"' + name.encode() + b'": "5000", ', 1)
    with pytest.raises(BodyUnusableError) as refused:
        parse(body)
    assert refused.value.field == name
    assert "there several times" in refused.value.problem


def test_a_key_that_is_there_twice_in_a_line_is_left_out() -> None:
    """A share of the goods would be of either price."""
    body = an_order().replace(b'"price":', b'"price": "1", "price":', 1)
    event = parse(body)
    noted = [(each.word, each.field) for each in event.notes]
    assert (NoteWord.LEFT_OUT, "items[0].price") in noted
    assert event.subtotal is None

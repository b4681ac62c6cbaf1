"""Conditions that no event meets, or every event meets."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from itertools import product
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domains.campaign.model import Condition, ConditionGroup, Logic, Operator
from domains.campaign.model.comparing import MISSING
from domains.campaign.model.condition import first_failure
from domains.campaign.model.fields import PART, PRESENCE
from domains.campaign.model.satisfiability import STEPS_MAX, outcomes
from tests.support.campaign import all_of, any_of, asks, none_of

AMOUNT = "purchase.amount"
DAY = "time.dayOfWeek"
UTM = "attribution.utmSource"
ORDER = "purchase.orderId"
SOURCE = "attribution.source"
LETTERS = "ab"
SECONDS_MAX = 2
TEXTS = ["".join(some) for count in (1, 2) for some in product(LETTERS, repeat=count)]


def an_event(**said: object) -> dict[str, Any]:
    """An event with these fields, `a__b` for `a.b`."""
    event: dict[str, Any] = {}
    for name, value in said.items():
        if value is not MISSING:
            room, _, field = name.partition("__")
            event.setdefault(room, {})[field] = value
    return event


def every_event(
    *, days: Iterable[int] = range(7), texts: Sequence[object] = (MISSING,)
) -> Iterator[Mapping[str, Any]]:
    """Events that differ in all that the generated conditions can ask."""
    for amount, day, utm in product(range(0, 40, 5), days, texts):
        yield an_event(
            purchase__amount=Decimal(amount),
            time__dayOfWeek=Decimal(day),
            attribution__utmSource=utm,
        )


SHORT_TEXTS = ["".join(some) for count in range(4) for some in product("ab~", repeat=count)]
EVENTS = list(every_event())
EVENTS_WITH_TEXTS = list(every_event(days=[0], texts=[MISSING, *SHORT_TEXTS]))


def seen_in(group: ConditionGroup, events: Iterable[Mapping[str, Any]]) -> set[bool]:
    found = set()
    for event in events:
        found.add(first_failure(group, event) is None)
        if len(found) == 2:
            break
    return found


@st.composite
def questions(draw: st.DrawFn, *, with_texts: bool) -> Condition:
    field = draw(st.sampled_from([AMOUNT, UTM if with_texts else DAY]))
    if field == UTM:
        operators = sorted(Operator)
        values: st.SearchStrategy[Any] = st.sampled_from(TEXTS)
    else:
        operators = sorted(set(Operator) - PART)
        top = 6 if field == DAY else 3
        step = 1 if field == DAY else 10
        values = st.integers(0, top).map(lambda number: Decimal(number * step))
    operator = draw(st.sampled_from(operators))
    if operator in PRESENCE:
        return asks(field, operator)
    if operator in {Operator.IN, Operator.NOT_IN}:
        return asks(field, operator, tuple(draw(st.lists(values, min_size=1, max_size=3))))
    if operator is Operator.BETWEEN:
        low, high = sorted((draw(values), draw(values)))
        return asks(field, operator, low, high)
    return asks(field, operator, draw(values))


def groups(*, with_texts: bool) -> st.SearchStrategy[ConditionGroup]:
    def of(members: st.SearchStrategy[Any]) -> st.SearchStrategy[ConditionGroup]:
        return st.builds(
            ConditionGroup,
            logic=st.sampled_from(Logic),
            members=st.lists(members, max_size=5).map(tuple),
        )

    leaves = questions(with_texts=with_texts)
    return of(leaves | of(leaves | of(leaves)))


@given(groups(with_texts=False))
@settings(max_examples=400)
def test_numbers_are_seen_through(group: ConditionGroup) -> None:
    """A rule that nobody can meet would be saved, or a good one refused."""
    assert outcomes(group) == seen_in(group, EVENTS)


@given(groups(with_texts=True))
@settings(max_examples=400)
def test_no_rule_is_refused_that_some_event_meets(group: ConditionGroup) -> None:
    """A merchant's good rule could not be saved."""
    assert seen_in(group, EVENTS_WITH_TEXTS) <= outcomes(group)


@pytest.mark.parametrize(
    "group",
    [
        all_of(asks(ORDER, Operator.EQ, "a"), asks(ORDER, Operator.EQ, "b")),
        all_of(asks(ORDER, Operator.EQ, "a"), asks(ORDER, Operator.NEQ, "a")),
        all_of(asks(ORDER, Operator.IN, ("a", "b")), asks(ORDER, Operator.STARTS_WITH, "c")),
        all_of(asks(ORDER, Operator.STARTS_WITH, "ab"), asks(ORDER, Operator.STARTS_WITH, "ac")),
        all_of(asks(ORDER, Operator.ENDS_WITH, "ab"), asks(ORDER, Operator.ENDS_WITH, "cb")),
        all_of(asks(ORDER, Operator.GT, "b"), asks(ORDER, Operator.LT, "a")),
        all_of(asks(ORDER, Operator.GT, "b"), asks(ORDER, Operator.LT, "b")),
        all_of(asks(ORDER, Operator.STARTS_WITH, "c"), asks(ORDER, Operator.LT, "b")),
        all_of(asks(ORDER, Operator.STARTS_WITH, "a"), asks(ORDER, Operator.GT, "b")),
        all_of(asks(ORDER, Operator.CONTAINS, "abc"), none_of(asks(ORDER, Operator.CONTAINS, "b"))),
        all_of(
            asks(ORDER, Operator.STARTS_WITH, "ab"), none_of(asks(ORDER, Operator.STARTS_WITH, "a"))
        ),
        all_of(asks(UTM, Operator.EQ, "a"), asks(UTM, Operator.NOT_EXISTS)),
        all_of(asks(UTM, Operator.CONTAINS, "a"), none_of(asks(UTM, Operator.EXISTS))),
        all_of(
            *(asks(SOURCE, Operator.NEQ, word) for word in ("direct", "paid_ad")),
            asks(SOURCE, Operator.NEQ, "referral_link"),
            asks(SOURCE, Operator.EXISTS),
        ),
        all_of(
            asks("time.date", Operator.GT, "2026-11-26"),
            asks("time.date", Operator.LT, "2026-11-27"),
        ),
        all_of(asks("time.hourOfDay", Operator.GT, Decimal(23))),
        all_of(
            asks("purchase.currency", Operator.EQ, "EUR"),
            asks("purchase.currency", Operator.EQ, "USD"),
        ),
        any_of(),
        none_of(all_of()),
        any_of(none_of(all_of()), any_of()),
    ],
)
def test_what_no_event_meets(group: ConditionGroup) -> None:
    """A campaign would be published that pays nobody."""
    assert outcomes(group) == {False}
    # Turned round, every event meets it.
    assert False not in outcomes(none_of(group))


@pytest.mark.parametrize(
    "group",
    [
        all_of(),
        any_of(asks(AMOUNT, Operator.LT, Decimal(10)), asks(AMOUNT, Operator.GTE, Decimal(10))),
        all_of(asks(AMOUNT, Operator.GTE, Decimal(0))),
        all_of(asks(AMOUNT, Operator.EXISTS)),
        all_of(asks("purchase.items", Operator.EXISTS)),
        any_of(asks(UTM, Operator.EXISTS), asks(UTM, Operator.NOT_EXISTS)),
        any_of(asks(UTM, Operator.NEQ, "a"), asks(UTM, Operator.NEQ, "b")),
        none_of(),
    ],
)
def test_what_every_event_meets(group: ConditionGroup) -> None:
    """An exclusion would exclude nobody, and everybody be paid."""
    assert outcomes(group) == {True}


@pytest.mark.parametrize(
    "group",
    [
        all_of(
            asks(ORDER, Operator.STARTS_WITH, "A"),
            asks(ORDER, Operator.ENDS_WITH, "A"),
            none_of(asks(ORDER, Operator.CONTAINS, "AA")),
        ),
        all_of(asks(UTM, Operator.NEQ, "a"), asks(UTM, Operator.NOT_EXISTS)),
        all_of(asks(ORDER, Operator.GTE, "b"), asks(ORDER, Operator.LTE, "b")),
        all_of(asks("purchase.subtotal", Operator.LT, Decimal(0))),
        all_of(asks("purchase.items.0.quantity", Operator.LT, Decimal(0))),
        all_of(
            asks(AMOUNT, Operator.GT, Decimal("0.01")), asks(AMOUNT, Operator.LT, Decimal("0.011"))
        ),
    ],
)
def test_what_some_events_meet_and_some_do_not(group: ConditionGroup) -> None:
    """A merchant's good rule would be refused."""
    assert outcomes(group) == {True, False}


def test_a_search_ends_and_then_believes_in_the_rule() -> None:
    """Whoever sends a rule would choose how long everybody else waits."""
    # Each pair leaves two ways, and together they leave none: 2 to the power of 60 to be tried.
    pairs = [
        any_of(
            asks(f"purchase.items.{line}.unitPrice", Operator.GT, Decimal(1)),
            asks(f"purchase.items.{line}.unitPrice", Operator.LT, Decimal(0)),
        )
        for line in range(60)
    ]
    never = any_of(
        *(asks(AMOUNT, Operator.EQ, Decimal(each)) for each in (1, 2)),
    )
    nor = any_of(
        *(asks(AMOUNT, Operator.EQ, Decimal(each)) for each in (3, 4)),
        asks(AMOUNT, Operator.EQ, Decimal(5)),
    )
    assert STEPS_MAX < 2**60
    assert True in outcomes(all_of(*pairs, never, nor))
    # Much is named, and nothing is searched.
    many = tuple(Decimal(each) for each in range(1_000))
    assert True in outcomes(all_of(*(asks(AMOUNT, Operator.IN, many) for _ in range(200))))


@pytest.mark.parametrize("listed", [20, 1_000])
def test_a_search_costs_no_more_than_it_may(listed: int) -> None:
    """A rule of thirty kilobytes would stop a server for minutes, and everybody with it."""
    names = tuple(f"{number:04}" for number in range(listed))
    either = [
        any_of(asks(UTM, Operator.NEQ, f"p{n}"), asks(UTM, Operator.NEQ, f"q{n}"))
        for n in range(45)
    ]
    others = [asks(UTM, Operator.NEQ, f"z{n}") for n in range(50)]
    group = all_of(
        all_of(*either),
        any_of(*(asks(UTM, Operator.EQ, f"no{n}") for n in range(3))),
        asks(UTM, Operator.GTE, names[-1]),
        all_of(*others),
        all_of(*others),
        asks(UTM, Operator.IN, names),
    )

    began = time.process_time()
    assert outcomes(group) == {True, False}
    assert time.process_time() - began < SECONDS_MAX


def test_values_are_not_held_against_conditions_for_ever() -> None:
    """As many lists as a rule may have, of other numbers each, would take minutes."""
    lists = [
        tuple(Decimal(1_000 * condition + each) for each in range(25)) for condition in range(200)
    ]
    group = all_of(*(asks(AMOUNT, Operator.NOT_IN, each) for each in lists))

    began = time.process_time()
    assert outcomes(group) == {True, False}
    assert time.process_time() - began < SECONDS_MAX / 2


@pytest.mark.parametrize(
    ("path", "named"),
    [
        ("purchase.currency", ("XXX", "XTS")),
        ("purchase.currency", ("AAA", "AAB", "AAC")),
        ("user.walletAddress", tuple(f"0x{number:040x}" for number in range(20))),
        ("user.identityGroupId", tuple(str(UUID(int=number)) for number in range(20))),
    ],
)
def test_whoever_is_named_is_not_everybody(path: str, named: tuple[str, ...]) -> None:
    """An exclusion of test currencies would be refused as one of all orders."""
    for operator in (Operator.IN, Operator.NOT_IN):
        group = all_of(asks(path, operator, named), asks(path, Operator.EXISTS))
        assert outcomes(group) == {True, False}

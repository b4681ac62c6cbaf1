"""Whether some event meets a rule's conditions, and whether some event does not.

A rule whose conditions nobody can meet, or everybody meets, says something else than it was meant
to. The conditions are searched as in the tableau method for propositional logic (Smullyan,
First-Order Logic, 1968): a group whose members must all hold is taken apart, one of which a single
member is enough is tried member by member. What is asked of one field is consistent if one of a
few values meets all of it: those that are named, their neighbours, one that nobody named, and
none at all. Fields are taken to be independent of each other.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from itertools import count, islice, pairwise, product
from string import ascii_uppercase
from uuid import UUID

from domains.campaign.model.comparing import MISSING
from domains.campaign.model.condition import is_met
from domains.campaign.model.fields import EventField, FieldType, field_at
from domains.campaign.model.rule import Condition, ConditionGroup, Logic, Trigger, conditions_of
from domains.campaign.model.texts import Asked, texts_may_meet
from domains.campaign.model.values import RANGES, YEAR_MIN
from vocabulary.exact import multiply, total

STEPS_MAX = 5_000
COMPARISONS_MAX = 50_000
"""What a search may cost. A rule that would take more steps, or of which values would have to be
held against conditions more often, is taken as one that can hold.
"""

_HALF = Decimal("0.5")
_ONE = Decimal(1)
_MINUS_ONE = Decimal(-1)
_SMALL_RANGE = 30
_OTHERS = 2
"""Of currencies, people and wallets that nobody named, so many are tried."""

Node = Condition | ConditionGroup


def outcomes(group: ConditionGroup, trigger: Trigger = Trigger.PURCHASE) -> frozenset[bool]:
    """True if some event of a trigger meets the conditions, False if some event does not.

    What would take too long to find out is among them.
    """
    try:
        search = _Search.over(group, trigger)
    except _TooLongError:
        return frozenset({True, False})
    return frozenset(
        is_wanted for is_wanted in (True, False) if search.may_hold(group, is_wanted=is_wanted)
    )


class _TooLongError(Exception):
    """The search has cost what it may."""


def candidates(known: EventField, asked: Iterable[Condition]) -> Sequence[object]:
    """Values of a field, one at least for each way in which the conditions can come out.

    Not for texts, which have too many.
    """
    named = {value for condition in asked for value in _values(condition)}
    some: Iterable[object]
    match known.type:
        case FieldType.LIST:
            some = [()]
        case FieldType.SOURCE:
            some = known.words
        case FieldType.AMOUNT | FieldType.NUMBER:
            numbers = sorted(each for each in named if isinstance(each, Decimal))
            some = _around(numbers, is_negative_allowed=known.type is FieldType.NUMBER)
        case FieldType.DATE:
            some = _days({each for each in named if isinstance(each, str)})
        case _ if known.type in RANGES:
            some = _whole_numbers(known.type, {each for each in named if isinstance(each, Decimal)})
        case _:
            others = (each for each in _words(known.type) if each not in named)
            some = [*named, *islice(others, _OTHERS)]
    return [*some] if known.is_always_there else [MISSING, *some]


def _words(kind: FieldType) -> Iterable[str]:
    """Words of a type, more than any rule names."""
    if kind is FieldType.CURRENCY:
        return ("".join(letters) for letters in product(ascii_uppercase, repeat=3))
    if kind is FieldType.UUID:
        return (str(UUID(int=number)) for number in count(1))
    assert kind is FieldType.ADDRESS, kind
    return (f"0x{number:040x}" for number in count(1))


def _values(condition: Condition) -> Iterable[object]:
    value = condition.value
    yield from value if isinstance(value, tuple) else () if value is None else (value,)
    if condition.value_to is not None:
        yield condition.value_to


def _around(numbers: Sequence[Decimal], *, is_negative_allowed: bool) -> Iterable[Decimal]:
    """The numbers, one between each two, and one before and after all of them."""
    ends = [*numbers] or [Decimal(0)]
    between = [multiply(total(pair), _HALF) for pair in pairwise(ends)]
    outside = [total((ends[0], _MINUS_ONE)), multiply(ends[0], _HALF), total((ends[-1], _ONE))]
    every = {*ends, *between, *outside, Decimal(0)}
    return [each for each in every if is_negative_allowed or each >= 0]


def _whole_numbers(kind: FieldType, named: Iterable[Decimal]) -> Iterable[Decimal]:
    bounds = RANGES[kind]
    if bounds.high - bounds.low < _SMALL_RANGE:
        return [Decimal(each) for each in range(bounds.low, bounds.high + 1)]
    near = {int(each) + step for each in named for step in (-1, 0, 1)}
    return [
        Decimal(each)
        for each in near | {bounds.low, bounds.high}
        if bounds.low <= each <= bounds.high
    ]


def _days(named: Iterable[str]) -> Iterable[str]:
    first, last = date(YEAR_MIN, 1, 1), date.max
    near = {day.toordinal() + step for day in map(date.fromisoformat, named) for step in (-1, 0, 1)}
    return [
        date.fromordinal(each).isoformat()
        for each in near | {first.toordinal(), last.toordinal()}
        if first.toordinal() <= each <= last.toordinal()
    ]


@dataclass(slots=True)
class _Search:
    """A search. `meeting` has, by condition, which candidates of its field meet it, as bits."""

    meeting: Mapping[Condition, int]
    every: Mapping[str, int]
    types: Mapping[str, EventField]
    comparisons_max: int
    comparisons_left: int = 0
    steps_left: int = 0

    @classmethod
    def over(cls, group: ConditionGroup, trigger: Trigger) -> _Search:
        """A search over a group.

        Raises:
            _TooLongError: its values are too many to hold against its conditions.
        """
        asked: dict[str, list[Condition]] = {}
        for _, condition in conditions_of(group, ""):
            asked.setdefault(condition.field, []).append(condition)
        meeting: dict[Condition, int] = {}
        every: dict[str, int] = {}
        types: dict[str, EventField] = {}
        left = COMPARISONS_MAX
        for path, some in asked.items():
            known = field_at(path, trigger)
            assert known is not None, path
            types[path] = known
            if known.type is FieldType.TEXT:
                continue
            # A list is asked at the cost of one value; there are a few candidates for each value.
            left -= len(some) * sum(len([*_values(each)]) for each in some)
            if left < 0:
                raise _TooLongError
            values = candidates(known, some)
            every[path] = (1 << len(values)) - 1
            for condition in some:
                meeting[condition] = sum(
                    1 << place for place, value in enumerate(values) if is_met(condition, value)
                )
        return cls(meeting, every, types, left)

    def may_hold(self, group: ConditionGroup, *, is_wanted: bool) -> bool:
        """Whether the group can come out as it is wanted to; True if that takes too long."""
        self.comparisons_left = self.comparisons_max
        self.steps_left = STEPS_MAX
        try:
            return self._explore([(group, is_wanted)], {}, {})
        except _TooLongError:
            return True

    def _explore(
        self,
        open_nodes: Sequence[tuple[Node, bool]],
        masks: Mapping[str, int],
        texts: Mapping[str, Sequence[Asked]],
    ) -> bool:
        """Whether all open nodes can come out as they are wanted to, beside what stands."""
        masks, texts = dict(masks), dict(texts)
        asked_anew: set[str] = set()
        choices: list[Sequence[tuple[Node, bool]]] = []
        waiting = list(open_nodes)
        while waiting:
            self.steps_left -= 1
            if self.steps_left < 0:
                raise _TooLongError
            node, is_wanted = waiting.pop()
            if isinstance(node, Condition):
                if self.types[node.field].type is FieldType.TEXT:
                    texts[node.field] = (*texts.get(node.field, ()), Asked(node, is_wanted))
                    asked_anew.add(node.field)
                elif not self._take(node, is_wanted, masks):
                    return False
                continue
            members = [(each, is_wanted == (node.logic is not Logic.NONE)) for each in node.members]
            if is_wanted == (node.logic is not Logic.ANY) or len(members) == 1:
                waiting.extend(members)
            else:
                choices.append(members)
        if not all(self._may_meet(path, texts[path]) for path in asked_anew):
            return False
        if not choices:
            return True
        first, *others = sorted(choices, key=len)
        rest = [_as_group(each) for each in others]
        return any(self._explore([member, *rest], masks, texts) for member in first)

    def _may_meet(self, path: str, asked: Sequence[Asked]) -> bool:
        """Whether a text may meet all that is asked of a field."""
        self.comparisons_left -= len(asked) * max(len([*_values(each.condition)]) for each in asked)
        if self.comparisons_left < 0:
            raise _TooLongError
        return texts_may_meet(asked, is_always_there=self.types[path].is_always_there)

    def _take(self, condition: Condition, is_wanted: bool, masks: dict[str, int]) -> bool:
        """Adds what is asked of a field; False if nothing meets all that is asked of it."""
        path = condition.field
        meeting = self.meeting[condition]
        masks[path] = masks.get(path, self.every[path]) & (meeting if is_wanted else ~meeting)
        return masks[path] != 0


def _as_group(members: Sequence[tuple[Node, bool]]) -> tuple[Node, bool]:
    """A choice that is still open, as one node that is wanted."""
    is_wanted = members[0][1] if members else True
    nodes = tuple(member for member, _ in members)
    if is_wanted:
        return ConditionGroup(logic=Logic.ANY, members=nodes), True
    return ConditionGroup(logic=Logic.ALL, members=nodes), False

"""What conditions can ask about: every path of an event, what stands there, what can be asked."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from domains.campaign.model.rule import Operator, Trigger

PRESENCE = frozenset({Operator.EXISTS, Operator.NOT_EXISTS})
LISTED = frozenset({Operator.IN, Operator.NOT_IN})
EQUALITY = frozenset({Operator.EQ, Operator.NEQ, *LISTED})
ORDERING = frozenset({Operator.GT, Operator.GTE, Operator.LT, Operator.LTE, Operator.BETWEEN})
PART = frozenset({Operator.CONTAINS, Operator.STARTS_WITH, Operator.ENDS_WITH})


class FieldType(StrEnum):
    """What a field of an event holds, and so what it can be held against."""

    AMOUNT = "amount"
    NUMBER = "number"
    COUNT = "count"
    QUANTITY = "quantity"
    DAY = "day"
    HOUR = "hour"
    TIMESTAMP = "timestamp"
    DATE = "date"
    CURRENCY = "currency"
    UUID = "uuid"
    ADDRESS = "address"
    SOURCE = "source"
    TEXT = "text"
    LIST = "list"

    @property
    def operators(self) -> frozenset[Operator]:
        """The questions that make sense for it."""
        match self:
            case FieldType.LIST:
                return PRESENCE
            case FieldType.CURRENCY | FieldType.UUID | FieldType.ADDRESS | FieldType.SOURCE:
                return EQUALITY | PRESENCE
            case FieldType.TEXT:
                return EQUALITY | ORDERING | PART | PRESENCE
            case _:
                return EQUALITY | ORDERING | PRESENCE


@dataclass(frozen=True, slots=True, kw_only=True)
class EventField:
    """A path that conditions may ask about. `N` stands for the number of a line, from 0.

    `is_always_there` says that every event that can have it has it; `words` are the only ones that
    it can be, if there are any; a text has up to `characters_max`. One that
    `names_something` is never what programs write when they have nothing, like `undefined`.
    """

    path: str
    type: FieldType
    is_always_there: bool = False
    words: Sequence[str] = ()
    characters_max: int = 255
    names_something: bool = False

    @property
    def of_purchase(self) -> bool:
        return self.path.startswith("purchase.")

    def matches(self, path: str) -> bool:
        pattern = re.escape(self.path).replace("N", r"(0|[1-9][0-9]{0,2})")
        return re.fullmatch(pattern, path) is not None


SOURCES = ("referral_link", "paid_ad", "direct")
"""What `attribution.source` can be."""


def _always(path: str, kind: FieldType) -> EventField:
    return EventField(path=path, type=kind, is_always_there=True)


def _sometimes(path: str, kind: FieldType) -> EventField:
    return EventField(path=path, type=kind)


EVENT_FIELDS = (
    _always("purchase.amount", FieldType.AMOUNT),
    _sometimes("purchase.subtotal", FieldType.NUMBER),
    _always("purchase.currency", FieldType.CURRENCY),
    EventField(
        path="purchase.orderId", type=FieldType.TEXT, is_always_there=True, names_something=True
    ),
    _always("purchase.items", FieldType.LIST),
    _always("purchase.items.length", FieldType.COUNT),
    _sometimes("purchase.items.N.productId", FieldType.TEXT),
    EventField(path="purchase.items.N.name", type=FieldType.TEXT, characters_max=500),
    _sometimes("purchase.items.N.quantity", FieldType.QUANTITY),
    _sometimes("purchase.items.N.unitPrice", FieldType.NUMBER),
    _sometimes("purchase.items.N.totalPrice", FieldType.NUMBER),
    EventField(path="attribution.source", type=FieldType.SOURCE, words=SOURCES),
    _sometimes("attribution.touchpointId", FieldType.UUID),
    _sometimes("attribution.referrerIdentityGroupId", FieldType.UUID),
    *(
        EventField(path=f"attribution.utm{name}", type=FieldType.TEXT, names_something=True)
        for name in ("Source", "Medium", "Campaign", "Term", "Content")
    ),
    _always("user.identityGroupId", FieldType.UUID),
    _sometimes("user.walletAddress", FieldType.ADDRESS),
    _always("time.dayOfWeek", FieldType.DAY),
    _always("time.hourOfDay", FieldType.HOUR),
    _always("time.date", FieldType.DATE),
    _always("time.timestamp", FieldType.TIMESTAMP),
)
"""Every path that an event can have. Rules may ask about these and no others."""


# Whoever was brought by a person was so by a link of theirs.
_REFERRER = EventField(
    path="attribution.referrerIdentityGroupId", type=FieldType.UUID, is_always_there=True
)
_SETTLED = {
    Trigger.REFERRAL: (_REFERRER,),
    Trigger.REFERRAL_PURCHASE: (
        _REFERRER,
        _always("attribution.touchpointId", FieldType.UUID),
        EventField(
            path="attribution.source",
            type=FieldType.SOURCE,
            is_always_there=True,
            words=("referral_link",),
        ),
    ),
}
"""What more is known of the fields of the events that a trigger is about."""


def field_at(path: str, trigger: Trigger = Trigger.PURCHASE) -> EventField | None:
    """The field that a condition's path names, in the events that a trigger is about."""
    fields = (*_SETTLED.get(trigger, ()), *EVENT_FIELDS)
    return next((each for each in fields if each.matches(path)), None)

"""Between the contract's values and ours."""

from __future__ import annotations

import base64
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Generic, TypeVar

import orjson
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from guerdon.type.v1 import money_pb2
from infrastructure.rpc.served_method import served_method
from vocabulary.amounts import TokenAmount
from vocabulary.errors import DomainError

PAGE_SIZE_DEFAULT = 50
PAGE_SIZE_MAX = 500
INT32_MAX = 2**31 - 1

Item = TypeVar("Item")


def to_timestamp(instant: datetime | None) -> Timestamp | None:
    """The instant, or nothing."""
    if instant is None:
        return None
    timestamp = Timestamp()
    timestamp.FromDatetime(instant)
    return timestamp


def to_duration(span: timedelta) -> Duration:
    """The span, to the microsecond."""
    duration = Duration()
    duration.FromTimedelta(span)
    return duration


def to_datetime(timestamp: Timestamp) -> datetime:
    """The instant in UTC, to the microsecond."""
    return timestamp.ToDatetime(tzinfo=UTC)


def to_token_amount(amount: TokenAmount) -> money_pb2.TokenAmount:
    """The contract's message for an amount: base units, whole units, unit."""
    return money_pb2.TokenAmount(
        base_units=str(amount.base_units),
        amount=amount.unit.to_text(amount.base_units),
        unit=amount.unit.key,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Page(Generic[Item]):
    """Items in their order, and where the next page begins: after the last of them."""

    items: Sequence[Item]
    next_page_token: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PageStart:
    """Where a page begins and how many items it has at the most.

    `after` is the sort key of the last item of the page before, as texts; None on the first
    page.
    """

    limit: int
    after: tuple[str, ...] | None


def page_start(
    page_size: int,
    page_token: str,
    *,
    key: Sequence[Callable[[str], object]],
    invalid: Callable[[], DomainError],
) -> PageStart:
    """Reads a page's size and token. A larger size is lowered.

    `key` has one function for each part of the sort key, which raises ValueError on a text
    that is none.

    Raises:
        DomainError: `invalid()`, when the token is not one that `page_of` made for this method.
    """
    limit = min(page_size or PAGE_SIZE_DEFAULT, PAGE_SIZE_MAX)
    if not page_token:
        return PageStart(limit=limit, after=None)
    try:
        after = _read_token(page_token, key)
    except (ValueError, TypeError, AttributeError) as failure:
        raise invalid() from failure
    return PageStart(limit=limit, after=after)


def page_of(
    items: Sequence[Item], start: PageStart, *, key: Callable[[Item], tuple[object, ...]]
) -> Page[Item]:
    """Cuts the page from `limit + 1` items, and makes the token from the last one's key."""
    if len(items) <= start.limit:
        return Page(items=items, next_page_token="")
    shown = items[: start.limit]
    after = (str(part) for part in key(shown[-1]))
    parts = orjson.dumps([_list_mark(served_method()), *after])
    token = base64.urlsafe_b64encode(parts).decode().rstrip("=")
    return Page(items=shown, next_page_token=token)


def _read_token(token: str, key: Sequence[Callable[[str], object]]) -> tuple[str, ...]:
    padded = token + "=" * (-len(token) % 4)
    mark, *after = orjson.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
    if mark != _list_mark(served_method()):
        message = "made for another list"
        raise ValueError(message)
    for parse, text in zip(key, after, strict=True):
        value = parse(text)
        if str(value) != text or not _is_comparable(value):
            message = "not a part of a sort key"
            raise ValueError(message)
    return tuple(after)


@lru_cache
def _list_mark(method: str) -> str:
    """What tells the tokens of one list from those of another."""
    return f"{zlib.crc32(method.encode()):08x}"


def _is_comparable(value: object) -> bool:
    """Whether a column can be held against the value."""
    match value:
        case int():
            return abs(value) <= INT32_MAX
        case datetime():
            return value.tzinfo is not None
        case str():
            return "\0" not in value
    return True

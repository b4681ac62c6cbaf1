"""Lists, page by page."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Generic, TypeVar

import orjson
from google.protobuf.message import Message

from infrastructure.rpc.sameness import digest_of
from infrastructure.rpc.served_call import served_call
from vocabulary.refusals import PageTokenInvalidError

PAGE_SIZE_DEFAULT = 50
PAGE_SIZE_MAX = 500
PAGE_BYTES_MAX = 1 << 20
"""As it travels between our processes. As JSON it may be six times as large, when every
character is one that JSON spells out; Envoy passes that on."""
INT32_MAX = 2**31 - 1
_FIRST = datetime.min.replace(tzinfo=UTC)
_LAST = datetime.max.replace(tzinfo=UTC)

Item = TypeVar("Item")
Shown = TypeVar("Shown", bound=Message)


@dataclass(frozen=True, slots=True, kw_only=True)
class Page(Generic[Shown]):
    """The messages of items in their order, and where the next page begins: after the last."""

    items: Sequence[Shown]
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
) -> PageStart:
    """Reads a page's size and token. A larger size is lowered.

    `key` has one function for each part of the sort key, which raises ValueError on a text
    that is none.

    Raises:
        PageTokenInvalidError: the token is not one that `page_of` made for this list.
    """
    limit = min(page_size or PAGE_SIZE_DEFAULT, PAGE_SIZE_MAX)
    if not page_token:
        return PageStart(limit=limit, after=None)
    try:
        after = _read_token(page_token, key)
    except (ValueError, TypeError, AttributeError) as failure:
        raise PageTokenInvalidError from failure
    return PageStart(limit=limit, after=after)


def page_of(
    items: Sequence[Item],
    start: PageStart,
    *,
    key: Callable[[Item], tuple[object, ...]],
    to_message: Callable[[Item], Shown],
) -> Page[Shown]:
    """Cuts the page from `limit + 1` items, and makes the token from the last one's key.

    A page of large items is shorter, so that its answer can be passed on; it has at least one.
    """
    shown: list[Shown] = []
    size = 0
    for item in items[: start.limit]:
        message = to_message(item)
        size += message.ByteSize()
        if shown and size > PAGE_BYTES_MAX:
            break
        shown.append(message)
    if len(shown) == len(items):
        return Page(items=shown, next_page_token="")
    after = (str(part) for part in key(items[len(shown) - 1]))
    parts = orjson.dumps([_list_mark(), *after])
    token = base64.urlsafe_b64encode(parts).decode().rstrip("=")
    return Page(items=shown, next_page_token=token)


def _read_token(token: str, key: Sequence[Callable[[str], object]]) -> tuple[str, ...]:
    padded = token + "=" * (-len(token) % 4)
    mark, *after = orjson.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
    if mark != _list_mark():
        message = "made for another list"
        raise ValueError(message)
    for parse, text in zip(key, after, strict=True):
        value = parse(text)
        if str(value) != text or not _is_comparable(value):
            message = "not a part of a sort key"
            raise ValueError(message)
    return tuple(after)


def _list_mark() -> str:
    """What tells the tokens of one list from those of another: the method and what was asked.

    The size of a page may change from one to the next.
    """
    method, request = served_call()
    if request is None:
        return method
    asked = digest_of(request, leaving_out=("page_size", "page_token"))
    return hashlib.blake2b(method.encode() + asked, digest_size=8).hexdigest()


def _is_comparable(value: object) -> bool:
    """Whether a column can be held against the value."""
    match value:
        case int():
            return abs(value) <= INT32_MAX
        case datetime():
            # The driver takes the very ends for infinity, and what lies beyond is no time in UTC.
            return value.tzinfo is not None and _FIRST < value < _LAST
        case str():
            return "\0" not in value
    return True

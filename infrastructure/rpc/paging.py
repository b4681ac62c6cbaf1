"""Lists, page by page."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Generic, Protocol, TypeVar, overload

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
Key = TypeVar("Key")
Key2 = TypeVar("Key2")
Key3 = TypeVar("Key3")
Response = TypeVar("Response", bound=Message)


class ListRequest(Protocol):
    """What every list is asked by."""

    page_size: int
    page_token: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PageStart(Generic[Key]):
    """Where a page begins, and how many items are read for it.

    `after` is the sort key of the last item of the page before; None on the first page. `limit`
    is one more than the page shows at the most: that one says that there is a next page.
    """

    limit: int
    after: Key | None


@overload
def page_start(request: ListRequest, key: Callable[[str], Key], /) -> PageStart[Key]: ...
@overload
def page_start(
    request: ListRequest, key: Callable[[str], Key], key2: Callable[[str], Key2], /
) -> PageStart[tuple[Key, Key2]]: ...
@overload
def page_start(
    request: ListRequest,
    key: Callable[[str], Key],
    key2: Callable[[str], Key2],
    key3: Callable[[str], Key3],
    /,
) -> PageStart[tuple[Key, Key2, Key3]]: ...
def page_start(request: ListRequest, /, *key: Callable[[str], Any]) -> PageStart[Any]:
    """Reads a page's size and token. A larger size is lowered.

    `key` has one function for each part of the sort key, which raises ValueError on a text
    that is none.

    Raises:
        PageTokenInvalidError: the token is not one that `page_of` made for this list.
    """
    limit = min(request.page_size or PAGE_SIZE_DEFAULT, PAGE_SIZE_MAX) + 1
    if not request.page_token:
        return PageStart(limit=limit, after=None)
    try:
        parts = _read_token(request.page_token, key)
    except (ValueError, TypeError, AttributeError) as failure:
        raise PageTokenInvalidError from failure
    return PageStart(limit=limit, after=parts if len(parts) > 1 else parts[0])


def page_of(
    items: Sequence[Item],
    start: PageStart[Key],
    *,
    key: Callable[[Item], Key],
    to_message: Callable[[Item], Message],
    response: Callable[[], Response],
) -> Response:
    """Answers with a page of the items that were read, and the token of the next one.

    A page of large items is shorter, so that its answer can be passed on; it has at least one.
    """
    answer = response()
    # Its one repeated field; the other one is the token.
    (field,) = [each for each in answer.DESCRIPTOR.fields if each.is_repeated]
    shown = getattr(answer, field.name)
    size = 0
    for item in items[: start.limit - 1]:
        message = to_message(item)
        size += message.ByteSize()
        if shown and size > PAGE_BYTES_MAX:
            break
        shown.append(message)
    if len(shown) < len(items):
        answer.next_page_token = _token_of(key(items[len(shown) - 1]))  # type: ignore[attr-defined]  # every list's
    return answer


def _token_of(key: object) -> str:
    parts = key if isinstance(key, tuple) else (key,)
    token = orjson.dumps([_list_mark(), *map(str, parts)])
    return base64.urlsafe_b64encode(token).decode().rstrip("=")


def _read_token(token: str, key: Sequence[Callable[[str], object]]) -> tuple[object, ...]:
    padded = token + "=" * (-len(token) % 4)
    mark, *texts = orjson.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
    if mark != _list_mark():
        message = "made for another list"
        raise ValueError(message)
    return tuple(_read_part(parse, text) for parse, text in zip(key, texts, strict=True))


def _read_part(parse: Callable[[str], object], text: str) -> object:
    value = parse(text)
    if str(value) != text or not _is_comparable(value):
        message = "not a part of a sort key"
        raise ValueError(message)
    return value


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

"""Every list can be walked, and only with tokens of its own."""

from __future__ import annotations

import base64
import json
from typing import Any
from uuid import UUID, uuid4

import grpc
import pytest
from google.protobuf.descriptor import FieldDescriptor

from guerdon.attribution.v1 import attribution_pb2
from infrastructure.rpc.contract import Method
from infrastructure.rpc.paging import PAGE_SIZE_MAX
from tests.contract.valid_calls import a_valid_call
from tests.support.attribution import a_touchpoint, add_touchpoints
from tests.support.contract import METHODS, method_ids
from tests.support.mesh import Mesh
from tests.support.refusals import refusal_by
from tests.support.rpc_shop import BusyShop, open_shop
from vocabulary.ids import MerchantId

LISTS = [
    method for method in METHODS.values() if "page_token" in method.request_type.fields_by_name
]
every_list = pytest.mark.parametrize("method", LISTS, ids=method_ids)
PAGES_MAX = 50


def encoded(parts: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(parts).encode()).decode().rstrip("=")


def parts_of(token: str) -> list[str]:
    parts: list[str] = json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
    return parts


GARBAGE = {
    "words": "next",
    "not Base64": "????",
    "not ASCII": "päge",
    "no JSON": "AAAA",
    "a number": encoded(7),
    "a text": encoded("7e4f0a3e-50b5-4f0e-9c9f-5a3a5dd3c001"),
    "an object": encoded({"after": "7e4f0a3e-50b5-4f0e-9c9f-5a3a5dd3c001"}),
    "nothing": encoded([]),
    "null": encoded([None, None]),
    "long": "QUFB" * 10_000,
}


def items_of(answer: Any) -> list[Any]:
    """The items of a page."""
    [name] = [field.name for field in answer.DESCRIPTOR.fields if field.is_repeated]
    return list(getattr(answer, name))


async def a_list(method: Method, busy: BusyShop, **changed: Any) -> Any:
    """A page of a list that has several items."""
    valid = await a_valid_call(method, busy)
    request: Any = valid.request
    for name, value in changed.items():
        setattr(request, name, value)
    return await busy.shop.mesh.call(method, request, proof=valid.proof)


def test_every_list_is_among_these() -> None:
    """A list would go untested."""
    assert {method_ids(method) for method in LISTS} == {
        method_ids(method) for method in METHODS.values() if "/List" in method.path
    }


@every_list
async def test_pages_of_one_give_every_item_once(method: Method, busy: BusyShop) -> None:
    """Somebody who pages would miss an item, or count one twice."""
    if method.descriptor.name == "ListMerchants":
        await open_shop(busy.shop.mesh)  # A second one.
    whole = await a_list(method, busy, page_size=500)
    assert len(items_of(whole)) >= 2, "the list needs several items to be walked"
    # Other tests make merchants as well.
    is_long = len(items_of(whole)) > PAGES_MAX
    assert whole.next_page_token == "" or is_long

    walked: list[Any] = []
    token = ""
    for _ in range(PAGES_MAX):
        page = await a_list(method, busy, page_size=1, page_token=token)
        assert len(items_of(page)) == 1
        walked += items_of(page)
        token = page.next_page_token
        if not token:
            break
    assert walked == items_of(whole)[: len(walked)]
    assert len(walked) == (PAGES_MAX if is_long else len(items_of(whole)))


@every_list
async def test_a_negative_page_size_is_refused(method: Method, busy: BusyShop) -> None:
    """A caller's mistake would look like an empty list."""
    told = await refusal_by(a_list(method, busy, page_size=-1))
    assert (told.reason, told.fields) == ("REQUEST_INVALID", ("page_size",))


@every_list
async def test_a_huge_page_size_is_lowered(method: Method, busy: BusyShop) -> None:
    """A client that asks for everything would be refused, or get more than an answer holds."""
    assert items_of(await a_list(method, busy, page_size=2**31 - 1))


async def test_a_page_is_never_larger_than_the_limit(mesh: Mesh) -> None:
    """One call could make the server read a whole table."""
    shop = await open_shop(mesh)
    merchant = MerchantId(UUID(shop.merchant_id))
    async with mesh.application.database.transaction() as tx:
        await add_touchpoints(
            tx, [a_touchpoint(merchant_id=merchant) for _ in range(PAGE_SIZE_MAX + 1)]
        )
    page = await mesh.call(
        "guerdon.attribution.v1.AttributionService/ListTouchpoints",
        attribution_pb2.ListTouchpointsRequest(
            merchant_id=shop.merchant_id, page_size=PAGE_SIZE_MAX + 1
        ),
    )
    assert len(page.touchpoints) == PAGE_SIZE_MAX
    assert page.next_page_token


@every_list
async def test_a_token_that_is_none_is_refused(method: Method, busy: BusyShop) -> None:
    """The database would be asked with it, and the caller told that we failed."""
    own = (await a_list(method, busy, page_size=1)).next_page_token
    [mark, *after] = parts_of(own)
    made_up = {
        "a key that is none": encoded([mark, *["no key"] * len(after)]),
        "a key with NUL": encoded([mark, *(f"{part}\0" for part in after)]),
        "a key of NUL": encoded([mark, *after[:-1], "\0"]),
        "a part too many": encoded([mark, *after, after[-1]]),
        "a part too few": encoded([mark, *after[:-1]]),
        "numbers": encoded([mark, *range(len(after))]),
        "a huge number": encoded([mark, str(2**40), *after[1:]]),
        "a time without a zone": encoded([mark, "2025-03-01 12:00:00", *after[1:]]),
        "the first time": encoded([mark, "0001-01-01 00:00:00+00:00", *after[1:]]),
        "a time before the first": encoded([mark, "0001-01-01 00:00:00+14:00", *after[1:]]),
        "the last time": encoded([mark, "9999-12-31 23:59:59.999999+00:00", *after[1:]]),
        "a time after the last": encoded([mark, "9999-12-31 23:59:59-14:00", *after[1:]]),
        "no mark": encoded(after),
        "another spelling": encoded([mark, *(part.upper() + " " for part in after)]),
    }
    truncated = {f"cut to {length}": own[:length] for length in (1, len(own) // 2, len(own) - 1)}
    for name, token in (GARBAGE | made_up | truncated).items():
        told = await refusal_by(a_list(method, busy, page_token=token))
        assert told.code is grpc.StatusCode.INVALID_ARGUMENT, name
        assert (told.reason, told.fields) == ("PAGE_TOKEN_INVALID", ("page_token",)), name
        assert told.domain == "mesh.guerdon"


@every_list
async def test_a_token_of_another_list_is_refused(method: Method, busy: BusyShop) -> None:
    """A client that mixes its tokens up would get a wrong page and never know."""
    for other in LISTS:
        if other is not method:
            token = (await a_list(other, busy, page_size=1)).next_page_token
            told = await refusal_by(a_list(method, busy, page_token=token))
            assert told.reason == "PAGE_TOKEN_INVALID"


def another_text(name: str, text: str) -> str:
    """Another value that the field may have."""
    if name.endswith("_currency"):
        return "XTS" if text == "XXX" else "XXX"
    return str(uuid4())


@every_list
async def test_a_token_is_for_what_was_asked(method: Method, busy: BusyShop) -> None:
    """The rest of one merchant's list would be shown as that of another."""
    token = (await a_list(method, busy, page_size=1)).next_page_token
    valid = await a_valid_call(method, busy)
    texts = [
        field.name
        for field in method.request_type.fields
        if field.type == FieldDescriptor.TYPE_STRING
        and field.name not in {"page_token", "request_id"}
        and not field.is_repeated
    ]
    if not texts:
        assert method.descriptor.name == "ListMerchants", "every other list is somebody's"
    for name in texts:
        other = another_text(name, getattr(valid.request, name))
        told = await refusal_by(a_list(method, busy, page_token=token, **{name: other}))
        assert told.reason == "PAGE_TOKEN_INVALID", name


@every_list
async def test_the_size_of_pages_may_change_and_ids_be_in_capitals(
    method: Method, busy: BusyShop
) -> None:
    """A token would be refused that was made for the same list."""
    token = (await a_list(method, busy, page_size=1)).next_page_token
    valid = await a_valid_call(method, busy)
    ids = {
        field.name: value.upper()
        for field, value in valid.request.ListFields()
        if field.name.endswith("_id")
    }
    assert items_of(await a_list(method, busy, page_size=2, page_token=token, **ids))

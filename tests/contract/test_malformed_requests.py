"""What no rule of a message speaks of is refused all the same, and never breaks the server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import grpc
import pytest
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import DecodeError, Message
from google.protobuf.timestamp_pb2 import Timestamp

from guerdon.campaign.v1 import campaign_pb2
from infrastructure.rpc.contract import Method
from tests.contract.valid_calls import a_valid_call
from tests.support.contract import METHODS, method_ids
from tests.support.mesh import Mesh
from tests.support.messages import Leaf, Place, leaves, places
from tests.support.refusals import refusal_by, told_by
from tests.support.rpc_shop import CAMPAIGN, BusyShop, a_campaign, open_shop

STRANGE_NUMBER = 4711
TIMESTAMP = "google.protobuf.Timestamp"
DURATION = "google.protobuf.Duration"
VALUE = "google.protobuf.Value"

FIRST = Timestamp(seconds=-62_135_596_800, nanos=1_000)
LAST = Timestamp(seconds=253_402_300_799, nanos=999_998_000)

Change = Callable[[Any, str], None]


def type_of(field: FieldDescriptor) -> str:
    if field.message_type is not None:
        return str(field.message_type.full_name)
    return {
        FieldDescriptor.TYPE_STRING: "text",
        FieldDescriptor.TYPE_ENUM: "enum",
        FieldDescriptor.TYPE_INT32: "int32",
        FieldDescriptor.TYPE_INT64: "int64",
    }.get(field.type, "other")


def set_to(value: object) -> Change:
    """Sets a field, or the only item of a list."""

    def change(message: Any, name: str) -> None:
        if message.DESCRIPTOR.fields_by_name[name].is_repeated:
            getattr(message, name)[:] = [value]
        else:
            setattr(message, name, value)

    return change


def set_inside(**values: object) -> Change:
    """Sets the fields of a message."""

    def change(message: Any, name: str) -> None:
        for inner, value in values.items():
            setattr(getattr(message, name), inner, value)

    return change


def nul_in_a_list(message: Any, name: str) -> None:
    value = getattr(message, name)
    value.list_value.values.add().struct_value.fields["a\0b"].bool_value = True


BREAKING: dict[str, dict[str, Change]] = {
    "text": {"NUL": set_to("a\0b")},
    "enum": {"unknown": set_to(STRANGE_NUMBER), "negative": set_to(-1)},
    TIMESTAMP: {
        "too late": set_inside(seconds=253_402_300_800),
        "too early": set_inside(seconds=-62_135_596_801),
        "too many nanoseconds": set_inside(nanos=1_000_000_000),
        "negative nanoseconds": set_inside(nanos=-1),
        "first microsecond": set_inside(seconds=-62_135_596_800, nanos=999),
        "last microsecond": set_inside(seconds=253_402_300_799, nanos=999_999_000),
    },
    DURATION: {
        "too long": set_inside(seconds=315_576_000_001),
        "both ways": set_inside(seconds=3600, nanos=-1),
    },
    VALUE: {"NUL": set_inside(string_value="a\0b"), "NUL inside": nul_in_a_list},
}
BROKEN = [
    pytest.param(place, change, id=f"{place}-{kind}")
    for method in METHODS.values()
    for place in places(method)
    for kind, change in BREAKING.get(type_of(place.leaf.field), {}).items()
]


def suffix_of(place: Place) -> str:
    return "[0]" if place.leaf.field.is_repeated else ""


@pytest.mark.parametrize(("place", "change"), BROKEN)
async def test_a_malformed_value_is_refused_by_name(
    place: Place, change: Change, mesh: Mesh
) -> None:
    """The database or the code behind would fail, and the caller be told that we did."""
    told = await refusal_by(mesh.call(place.method, place.changed(change)))
    assert told.code is grpc.StatusCode.INVALID_ARGUMENT
    assert (told.domain, told.reason) == ("mesh.guerdon", "REQUEST_INVALID")
    assert told.fields == (place.leaf.path + suffix_of(place),)


@pytest.mark.parametrize(
    "value", [b"\x02\xff\xfe", b"\xff", None], ids=["not UTF-8", "cut off", "no such wire type"]
)
@pytest.mark.parametrize("method", METHODS.values(), ids=method_ids)
async def test_an_unreadable_request_is_the_callers_fault(
    method: Method, value: bytes | None, mesh: Mesh
) -> None:
    """gRPC itself would answer INTERNAL, and monitoring would wake us."""
    texts = [each for each in method.request_type.fields if each.type == each.TYPE_STRING]
    if not texts:
        return  # Nothing to read: unknown bytes are kept and ignored.
    raw = b"\x07" if value is None else bytes([texts[0].number << 3 | 2]) + value
    told = await refusal_by(mesh.call_raw(method, raw))
    assert told.code is grpc.StatusCode.INVALID_ARGUMENT
    assert told.reason == ("REQUEST_INVALID" if is_readable(method, raw) else "REQUEST_MALFORMED")


def is_readable(method: Method, raw: bytes) -> bool:
    """Bytes of another type are not read: they are fields that nobody knows."""
    try:
        method.request_class.FromString(raw)
    except DecodeError:
        return False
    return True


HOSTILE: dict[str, dict[str, Change]] = {
    "text": {
        "empty": set_to(""),
        "long": set_to("x" * 100_000),
        "odd": set_to("\u202e\ufeff%s{}'\";--\\\U0001f408\u0301"),
        "control": set_to("\x01\x1f\x7f\r\n"),
        "another id": set_to("7e4f0a3e-50b5-4f0e-9c9f-5a3a5dd3c001"),
        "no id": set_to("00000000-0000-0000-0000-000000000000"),
    },
    "int32": {"most": set_to(2**31 - 1), "least": set_to(-(2**31)), "zero": set_to(0)},
    "int64": {"most": set_to(2**63 - 1), "least": set_to(-(2**63)), "zero": set_to(0)},
    TIMESTAMP: {
        "last": set_inside(seconds=LAST.seconds, nanos=LAST.nanos),
        "first": set_inside(seconds=FIRST.seconds, nanos=FIRST.nanos),
    },
    DURATION: {
        "longest": set_inside(seconds=315_576_000_000),
        "longest back": set_inside(seconds=-315_576_000_000),
        "shortest": set_inside(seconds=0, nanos=1),
    },
    VALUE: {
        "NaN": set_inside(number_value=float("nan")),
        "infinite": set_inside(number_value=float("inf")),
        "negative": set_inside(number_value=-0.5),
        "long": set_inside(string_value="x" * 100_000),
        "null": set_inside(null_value=0),
        "strange null": set_inside(null_value=STRANGE_NUMBER),
        "true": set_inside(bool_value=True),
    },
}


def hostile(request: Message, leaf: Leaf) -> Iterator[Message]:
    """The request with each hostile value at the place."""
    for change in HOSTILE.get(type_of(leaf.field), {}).values():
        copy = type(request)()
        copy.CopyFrom(request)
        change(leaf.owner(copy), leaf.field.name)
        yield copy


async def assert_no_fault(mesh: Mesh, method: Method, request: Message, proof: Any) -> None:
    try:
        await mesh.call(method, request, proof=proof)
    except grpc.aio.AioRpcError as refused:
        told = told_by(refused)
        assert told.reason not in {"INTERNAL", "DEPENDENCY_AWAY"}, (told, request)


@pytest.mark.parametrize("method", METHODS.values(), ids=method_ids)
async def test_hostile_values_never_break_the_server(
    method: Method, mesh: Mesh, busy: BusyShop
) -> None:
    """Anybody could fill our log, and be told that we failed."""
    valid = await a_valid_call(method, busy)
    for leaf in leaves(valid.request):
        for request in hostile(valid.request, leaf):
            await assert_no_fault(mesh, method, request, valid.proof)
    # What the valid request leaves out, in requests about things that do not exist.
    for place in places(method):
        for request in hostile(place.request, place.leaf):
            await assert_no_fault(mesh, method, request, valid.proof)


async def test_a_campaign_from_the_first_to_the_last_instant_pays(mesh: Mesh) -> None:
    """An instant that the database gives back as infinity stops all work of the merchant."""
    shop = await open_shop(mesh)
    forever = a_campaign()
    forever.start_time.CopyFrom(FIRST)
    forever.expire_time.CopyFrom(LAST)
    created = await mesh.call(
        f"{CAMPAIGN}/CreateCampaign",
        campaign_pb2.CreateCampaignRequest(merchant_id=shop.merchant_id, campaign=forever),
    )
    assert (created.campaign.start_time, created.campaign.expire_time) == (FIRST, LAST)
    await shop.change_campaign("Publish", created.campaign.campaign_id)
    await shop.arrive("somebody")
    await shop.order("A-1", client_id="somebody")
    await shop.work()
    assert len(await shop.rewards()) == 2

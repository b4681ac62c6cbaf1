"""Messages of the contract, filled from their descriptors."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from google.protobuf import timestamp_pb2
from google.protobuf.descriptor import Descriptor, FieldDescriptor, OneofDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from buf.validate import validate_pb2
from infrastructure.rpc.contract import Method
from tests.support.contract import is_output

# What a text field holds by its name. A field that is not here holds its own name.
_TEXTS = {
    "amount": "2.9995",
    "amount_max": "50",
    "amount_min": "1",
    "base_currency": "EUR",
    "base_units": "2999500",
    "currency": "EUR",
    "domain": "shop.example",
    "field": "purchase.amount",
    "image_url": "https://shop.example/blue-mug.png",
    "landing_url": "https://shop.example/p/blue-mug",
    "level_percent": "50",
    "peg_currency": "USD",
    "percent": "5",
    "price": "29.90",
    "quote_currency": "USD",
    "rate": "1.0832",
    "product_id": "0x" + "5e" * 32,
    "token_address": "0x" + "ab" * 20,
    "unit": "points",
    "user_percent": "10",
    "referrer_wallet_address": "0x" + "cd" * 20,
    "wallet_address": "0x" + "cd" * 20,
    "time_zone": "Europe/Paris",
}
# Left out: a token must come from a list, a rehearsal has no effect to look at, and one needs a
# setting to be taken.
_LEFT_OUT_OF_REQUESTS = {"page_token", "validate_only", "referrer_client_id"}
_INTEGERS = {
    FieldDescriptor.TYPE_INT32,
    FieldDescriptor.TYPE_INT64,
}
_INSTANT = {"seconds": 1_767_867_331}
_SPAN = {"seconds": 3600}
_WELL_KNOWN: dict[str, dict[str, Any]] = {
    "google.protobuf.FieldMask": {"paths": ["*"]},
    "google.protobuf.Timestamp": _INSTANT,
    "google.protobuf.Duration": _SPAN,
    "google.protobuf.Value": {"string_value": "A-1001"},
    "google.protobuf.Struct": {"fields": {"seen": {"string_value": "59.80"}}},
    "google.api.HttpBody": {"content_type": "application/json", "data": b"{}"},
}
NESTING_MAX = 2
"""How often a message may stand inside itself."""


def a_full_request(method: Method, *, choosing: FieldDescriptor | None = None) -> Message:
    """A request with every field set that a caller may set, as the rules want it.

    Of a oneof its first member is set, or the one that is chosen.
    """
    return _filled(method.request_type, (), choosing, for_caller=True)


def a_full_message(message: Descriptor) -> Message:
    """A message with every field set."""
    return _filled(message, (), None, for_caller=False)


def full_requests(method: Method) -> list[Message]:
    """Full requests that together set every field that a caller may set."""
    members = list(_choices(method.request_type, set()))
    return [a_full_request(method), *(a_full_request(method, choosing=each) for each in members)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaf:
    """A field that is set somewhere in a request: its path, and how to reach its message."""

    path: str
    field: FieldDescriptor
    owner: Callable[[Message], Any]

    def __str__(self) -> str:
        return self.path


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A field that a request of the method sets: one case of a test."""

    method: Method
    request: Message
    leaf: Leaf

    def __str__(self) -> str:
        return f"{self.method.path.rpartition('/')[2]}-{self.leaf.path}"

    def changed(self, change: Callable[[Any, str], None]) -> Message:
        """The request with `change(message, field name)` made at the place."""
        copy = type(self.request)()
        copy.CopyFrom(self.request)
        change(self.leaf.owner(copy), self.leaf.field.name)
        return copy


def places(method: Method) -> list[Place]:
    """Every field of the method's requests, once."""
    found: dict[str, Place] = {}
    for request in full_requests(method):
        for leaf in leaves(request):
            found.setdefault(leaf.path, Place(method=method, request=request, leaf=leaf))
    return list(found.values())


def leaves(message: Message) -> Iterator[Leaf]:
    """Every field that is set in a message and in our messages inside it; outer ones first."""
    yield from _leaves(message, "", lambda root: root)


def _leaves(message: Message, path: str, owner: Callable[[Message], Any]) -> Iterator[Leaf]:
    for field, value in message.ListFields():
        yield Leaf(path=path + field.name, field=field, owner=owner)
        if not is_ours(field):
            continue
        if not field.is_repeated:
            yield from _leaves(value, f"{path}{field.name}.", _inside(owner, field.name))
            continue
        for index, each in enumerate(value):
            inside = _inside(owner, field.name, index)
            yield from _leaves(each, f"{path}{field.name}[{index}].", inside)


def _inside(
    owner: Callable[[Message], Any], name: str, index: int | None = None
) -> Callable[[Message], Any]:
    def reach(root: Message) -> Any:
        value = getattr(owner(root), name)
        return value if index is None else value[index]

    return reach


def is_ours(field: FieldDescriptor) -> bool:
    """Whether the field holds a message of the product."""
    return field.message_type is not None and field.message_type.full_name.startswith("guerdon.")


def example_id(name: str) -> str:
    """A UUID that is always the same for a name."""
    return str(uuid5(NAMESPACE_URL, name))


def rules_of(field: FieldDescriptor) -> validate_pb2.FieldRules:
    """The field's protovalidate rules."""
    rules: validate_pb2.FieldRules = field.GetOptions().Extensions[validate_pb2.field]
    return rules


def _choices(message: Descriptor, seen: set[str]) -> Iterator[FieldDescriptor]:
    """The members of oneofs that are not the first of theirs."""
    if message.full_name in seen:
        return
    seen.add(message.full_name)
    for oneof in _choosing(message):
        yield from oneof.fields[1:]
    for field in message.fields:
        if is_ours(field) and not is_output(field) and field.message_type is not None:
            yield from _choices(field.message_type, seen)


def _choosing(message: Descriptor) -> list[OneofDescriptor]:
    # An optional field is a oneof of one.
    return [oneof for oneof in message.oneofs if len(oneof.fields) > 1]


def _filled(
    descriptor: Descriptor,
    above: tuple[str, ...],
    choosing: FieldDescriptor | None,
    *,
    for_caller: bool,
) -> Message:
    message = GetMessageClass(descriptor)()
    exclusive = _left_out_of_groups(descriptor)
    for field in descriptor.fields:
        if for_caller and (
            is_output(field) or field.name in _LEFT_OUT_OF_REQUESTS or field.name in exclusive
        ):
            continue
        if not _is_chosen(field, above, choosing):
            continue
        inside = field.message_type
        if inside is None:
            value = _scalar(field)
        elif inside.full_name in _WELL_KNOWN:
            value = GetMessageClass(inside)(**_WELL_KNOWN[inside.full_name])
            if for_caller and field.name == "end_time":
                value = timestamp_pb2.Timestamp(seconds=getattr(value, "seconds", 0) + 1)
        elif (*above, descriptor.full_name).count(inside.full_name) >= NESTING_MAX:
            continue
        else:
            above_inside = (*above, descriptor.full_name)
            value = _filled(inside, above_inside, choosing, for_caller=for_caller)
        _set(message, field, value)
    return message


def _set(message: Any, field: FieldDescriptor, value: Any) -> None:
    if field.is_repeated:
        getattr(message, field.name).append(value)
    elif field.message_type is not None:
        getattr(message, field.name).CopyFrom(value)
        getattr(message, field.name).SetInParent()
    else:
        setattr(message, field.name, value)


def _is_chosen(
    field: FieldDescriptor, above: tuple[str, ...], choosing: FieldDescriptor | None
) -> bool:
    oneof = field.containing_oneof
    if oneof is None or len(oneof.fields) == 1:
        return True
    # Inside itself, the first member ends the nesting.
    is_choice = (
        choosing is not None
        and choosing.containing_oneof == oneof
        and oneof.containing_type.full_name not in above
    )
    return field == (choosing if is_choice else oneof.fields[0])


def _left_out_of_groups(message: Descriptor) -> set[str]:
    """Fields that must not be set together with another one, which is set."""
    groups = message.GetOptions().Extensions[validate_pb2.message].oneof
    return {name for group in groups for name in group.fields[1:]}


def _scalar(field: FieldDescriptor) -> Any:
    if field.type == FieldDescriptor.TYPE_STRING:
        return _text(field)
    if field.type == FieldDescriptor.TYPE_BOOL:
        return True
    if field.type == FieldDescriptor.TYPE_BYTES:
        return b"\x01\x02"
    if field.enum_type is not None:
        return field.enum_type.values[1].number
    assert field.type in _INTEGERS, f"{field.full_name}: say what it holds"
    return 1


def _text(field: FieldDescriptor) -> str:
    rules = rules_of(field).string
    if field.name.endswith(("_id", "_ids")) and field.name not in _TEXTS:
        return example_id(field.name)
    text = _TEXTS.get(field.name, field.name)
    if rules.pattern:
        assert re.search(rules.pattern, text), f"{field.full_name}: give an example of {rules}"
    return text

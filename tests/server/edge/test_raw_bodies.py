"""Envoy's copy of the contract: bodies of strict routes are bytes, their queries nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from google.api import annotations_pb2, http_pb2, httpbody_pb2
from google.protobuf import any_pb2, descriptor_pb2, timestamp_pb2
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from google.protobuf.unknown_fields import UnknownFieldSet

from infrastructure.rpc.contract import ContractError
from infrastructure.rpc.strict_routes import RAW_BODY_NAME, RAW_BODY_NUMBER, is_strict
from server.edge.contract_copy import contract_copy
from server.edge.raw_bodies import with_raw_bodies
from tests.server.edge.running import DESCRIPTORS, ENVOYS_COPY
from tests.support.contract import METHODS
from tests.support.strict_json import STRICT

if TYPE_CHECKING:
    from tests.server.edge.running import Edge

COPY = FileDescriptorSet.FromString(ENVOYS_COPY.read_bytes())
CONTRACT = FileDescriptorSet.FromString(DESCRIPTORS.read_bytes())


def messages_of(files: FileDescriptorSet) -> dict[str, descriptor_pb2.DescriptorProto]:
    return {
        f"{file.package}.{each.name}": each for file in files.file for each in file.message_type
    }


def test_the_copy_is_fresh() -> None:
    """Envoy would read another contract than the server. Run `make gen`."""
    assert contract_copy(DESCRIPTORS.read_bytes()) == ENVOYS_COPY.read_bytes()


def test_requests_of_strict_routes_are_their_paths_and_bodies_and_all_else_is_as_it_was() -> None:
    """Envoy would drop a key, or read a query, or miss an answer's field."""
    copies, promised = messages_of(COPY), messages_of(CONTRACT)
    assert copies.keys() == promised.keys()
    strict = {method.request_type.full_name: method for method in STRICT}
    assert len(strict) == len(STRICT) > 15
    for name, copy in copies.items():
        if name not in strict:
            assert copy == promised[name]
            continue
        method = strict[name]
        fields = {field.name: field for field in copy.field}
        raw_body = fields.pop(RAW_BODY_NAME, None)
        assert (raw_body is not None) == method.takes_body
        assert raw_body is None or raw_body.number == RAW_BODY_NUMBER
        assert fields.keys() == method.path_parameters & {*method.request_type.fields_by_name}
        assert all(field in promised[name].field for field in fields.values())


def test_strict_are_all_routes_of_dashboards() -> None:
    """A route that writes rules would be read by Envoy, which drops what it does not know."""
    for method in METHODS.values():
        rule = method.descriptor.GetOptions().Extensions[annotations_pb2.http]
        paths = [getattr(each, each.WhichOneof("pattern") or "get") for each in [rule]]
        paths += [getattr(each, each.WhichOneof("pattern")) for each in rule.additional_bindings]
        assert {method.is_strict} == {path.startswith("/business/") for path in paths}


@pytest.mark.parametrize(
    ("rule", "strict"),
    [
        (http_pb2.HttpRule(post="/business/shops", body="*"), True),
        (http_pb2.HttpRule(get="/business"), True),
        (
            http_pb2.HttpRule(custom=http_pb2.CustomHttpPattern(kind="HEAD", path="/business/x")),
            True,
        ),
        (http_pb2.HttpRule(get="/businesses/x"), False),
        (http_pb2.HttpRule(get="/user/business/x"), False),
        (http_pb2.HttpRule(custom={"kind": "HEAD", "path": "/health"}), False),
        (http_pb2.HttpRule(), False),
    ],
)
def test_strict_is_what_begins_with_the_audience(rule: http_pb2.HttpRule, strict: bool) -> None:
    """A browser's route would be strict because its name begins alike."""
    assert is_strict(rule) is strict


def test_files_stand_behind_what_they_need() -> None:
    """Envoy would refuse to start."""
    there: set[str] = set()
    for file in COPY.file:
        assert {*file.dependency} <= there, file.name
        assert not file.HasField("source_code_info")
        there.add(file.name)
    # Those that are added, too; and in whatever order they come.
    mixed = FileDescriptorSet(file=[*reversed(a_contract().file)])
    timestamp_pb2.DESCRIPTOR.CopyToProto(mixed.file.add())
    names = [file.name for file in with_raw_bodies(mixed).file]
    assert [name for name in names if name != timestamp_pb2.DESCRIPTOR.name] == [
        any_pb2.DESCRIPTOR.name,
        httpbody_pb2.DESCRIPTOR.name,
        "shop.proto",
    ]
    assert names.index(timestamp_pb2.DESCRIPTOR.name) < names.index("shop.proto")


def a_contract() -> FileDescriptorSet:
    """One strict method, with a request of its own."""
    files = FileDescriptorSet()
    file = files.file.add(name="shop.proto", package="shop.v1", syntax="proto3")
    file.dependency.append(timestamp_pb2.DESCRIPTOR.name)
    request = file.message_type.add(name="SaveRequest")
    request.field.add(name="shop_id", number=1, type=9, label=1)
    request.oneof_decl.add(name="_note")
    request.field.add(name="note", number=2, type=9, label=1, oneof_index=0, proto3_optional=True)
    file.message_type.add(name="SaveResponse")
    method = file.service.add(name="ShopService").method.add(
        name="Save", input_type=".shop.v1.SaveRequest", output_type=".shop.v1.SaveResponse"
    )
    method.options.Extensions[annotations_pb2.http].post = "/business/{shop_id}"
    method.options.Extensions[annotations_pb2.http].body = "*"
    return files


def test_every_binding_of_a_method_takes_a_raw_body() -> None:
    """By its second path a body would be read leniently."""
    contract = a_contract()
    rule = contract.file[0].service[0].method[0].options.Extensions[annotations_pb2.http]
    rule.additional_bindings.add(put="/business/{shop_id}/all", body="note")
    rule.additional_bindings.add(get="/business/{shop_id}")
    [file] = [file for file in with_raw_bodies(contract).file if file.name == "shop.proto"]
    copied = file.service[0].method[0].options.Extensions[annotations_pb2.http]
    assert copied.body == copied.additional_bindings[0].body == RAW_BODY_NAME
    assert copied.additional_bindings[1].body == ""
    assert [field.name for field in file.message_type[0].field] == ["shop_id", RAW_BODY_NAME]
    assert not file.message_type[0].oneof_decl
    # The contract itself is as it was.
    assert contract == contract.FromString(contract.SerializeToString())
    assert rule.body == "*"


def used_twice(files: FileDescriptorSet) -> None:
    message = files.file[0].message_type.add(name="Other")
    nested = message.nested_type.add(name="Nested")
    nested.field.add(name="saved", number=1, type=11, type_name=".shop.v1.SaveRequest", label=1)


def also_lenient(files: FileDescriptorSet) -> None:
    rule = files.file[0].service[0].method[0].options.Extensions[annotations_pb2.http]
    rule.additional_bindings.add(post="/user/{shop_id}", body="*")


def of_another_file(files: FileDescriptorSet) -> None:
    files.file[0].service[0].method[0].input_type = ".other.v1.SaveRequest"


def in_a_oneof(files: FileDescriptorSet) -> None:
    files.file[0].message_type[0].field[0].oneof_index = 0


def with_the_same_number(files: FileDescriptorSet) -> None:
    files.file[0].message_type[0].field[1].number = RAW_BODY_NUMBER


def with_the_same_name(files: FileDescriptorSet) -> None:
    files.file[0].message_type[0].field[1].name = RAW_BODY_NAME


@pytest.mark.parametrize(
    "change",
    [
        used_twice,
        also_lenient,
        of_another_file,
        in_a_oneof,
        with_the_same_number,
        with_the_same_name,
    ],
)
def test_what_the_copy_cannot_say_is_refused(change: object) -> None:
    """Envoy would read a part of a strict body, or not start."""
    contract = a_contract()
    assert callable(change)
    change(contract)
    with pytest.raises(ContractError):
        with_raw_bodies(contract)


def unknown_bytes(request: Any) -> bytes:
    """What stands in fields that the contract does not know."""
    fields: Any = UnknownFieldSet(request)
    return b"".join(each.data for each in fields)


async def test_a_body_arrives_as_it_was_sent(edge: Edge) -> None:
    """Envoy would have dropped the unknown key, or refused what it cannot read."""
    bodies = [b'{"unheardOf": 1,  "a":1, "a":2}', b"\xff\x00 no JSON", b"", b"[" * 500]
    for client in (edge.public, edge.mesh):
        for body in bodies:
            answer = await client.post("/business/merchant/m-1/webhooks", content=body)
            assert answer.status_code == 200
    for seen, body in zip(edge.backend.seen, bodies * 2, strict=True):
        assert httpbody_pb2.HttpBody.FromString(unknown_bytes(seen.request)).data == body
        assert seen.request.merchant_id == "m-1"
        assert seen.request.signing_key == ""


async def test_a_query_passes_unread(edge: Edge) -> None:
    """Envoy would refuse it in its own words, after it had read it at its leisure."""
    query = "pageSize=1&page_size=x&unheardOf=%ff&state.a.b.c.d=1&=&rawBody.data=e30"
    for client in (edge.public, edge.mesh):
        answer = await client.get(f"/business/merchant/m-1/campaigns?{query}")
        assert answer.status_code == 200
    for seen in edge.backend.seen:
        assert str(seen.request) == 'merchant_id: "m-1"\n'
        assert unknown_bytes(seen.request) == b""
        assert seen.metadata["x-envoy-original-path"].endswith(query)

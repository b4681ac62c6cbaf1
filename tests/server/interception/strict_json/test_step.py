"""The step reads what came as JSON, for strict routes alone, and says what is wrong once."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import pytest
from google.api import annotations_pb2
from google.protobuf import descriptor_pool, struct_pb2, timestamp_pb2
from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorProto
from google.protobuf.message import Message

from buf.validate import validate_pb2
from guerdon.campaign.v1 import campaign_pb2
from guerdon.options.v1 import method_pb2
from infrastructure.rpc.contract import ContractError, Method, methods_of
from server.interception.refusals import Refusal, Violation
from server.interception.strict_json.step import JsonFaults, StrictJson
from server.interception.validation import request_invalid
from tests.server.interception.calls import pass_through
from tests.support.contract import METHODS
from tests.support.strict_json import read_by_steps, violations_of, with_body

CREATE = METHODS["/guerdon.campaign.v1.CampaignService/CreateCampaign"]
TRACK = METHODS["/guerdon.orchestration.v1.ArrivalService/TrackArrival"]
MERCHANT = "0198c0de-0000-7000-8000-000000000001"
PATH = campaign_pb2.CreateCampaignRequest(merchant_id=MERCHANT)
_numbers = itertools.count()


def a_method(
    path: str, fields: Sequence[tuple[str, str, str]], *, body: str = "", many: Sequence[str] = ()
) -> Method:
    """A method with a path whose request has fields: a name, a type, and that of a message."""
    package = f"tests.steps{next(_numbers)}"
    file = FileDescriptorProto(name=f"{package}.proto", package=package, syntax="proto3")
    needed = (annotations_pb2, method_pb2, struct_pb2, timestamp_pb2, validate_pb2)
    file.dependency.extend(module.DESCRIPTOR.name for module in needed)
    request = file.message_type.add(name="Request")
    for number, (name, kind, type_name) in enumerate(fields, start=1):
        field = request.field.add(
            name=name,
            number=number,
            label=3 if name in many else 1,
            type=FieldDescriptorProto.Type.Value(f"TYPE_{kind.upper()}"),
            type_name=type_name.format(package=package) or None,
        )
        if name in many:
            field.options.Extensions[validate_pb2.field].repeated.max_items = 10
    color = file.enum_type.add(name="Color")
    for number, name in enumerate(("COLOR_UNSPECIFIED", "COLOR_RED", "COLOR_BLUE")):
        color.value.add(name=name, number=number)
    service = file.service.add(name="Service")
    name = f".{package}.Request"
    method = service.method.add(name="Ask", input_type=name, output_type=name)
    method.options.Extensions[method_pb2.access].callers.append(method_pb2.Access.CALLER_ANYONE)
    method.options.Extensions[method_pb2.rate_class] = method_pb2.RATE_CLASS_DASHBOARD
    if path:
        rule = method.options.Extensions[annotations_pb2.http]
        rule.body = body
        setattr(rule, "post" if body else "get", path)
    pool = descriptor_pool.Default()
    pool.AddSerializedFile(file.SerializeToString())
    [made] = methods_of([pool.FindServiceByName(f"{package}.Service")]).values()
    return made


LIST_SHELVES = a_method(
    "/business/{shop}/shelves",
    [
        ("shop", "string", ""),
        ("open", "bool", ""),
        ("page_size", "int32", ""),
        ("colors", "enum", ".{package}.Color"),
        ("labels", "string", ""),
        ("seen_after", "message", ".google.protobuf.Timestamp"),
    ],
    many=("colors", "labels"),
)


async def test_a_query_says_every_kind_of_field() -> None:
    """A filter would be taken for none, or for another one."""
    query = (
        "open=true&pageSize=20&colors=COLOR_BLUE&labels=a%26b&colors=1&labels=&labels=a+b%20c"
        "&seenAfter=2026-11-26T10:00:00Z"
    )
    request = LIST_SHELVES.request_class(shop="mine")
    read: Any = await read_by_steps(LIST_SHELVES, request, f"/business/mine/shelves?{query}")
    assert (read.shop, read.open, read.page_size, [*read.colors]) == ("mine", True, 20, [2, 1])
    assert [*read.labels] == ["a&b", "", "a+b c"]
    assert read.seen_after.seconds == 1_795_687_200


@pytest.mark.parametrize(
    ("query", "path", "says"),
    [
        ("open=1", "open", "must be true or false"),
        ("open=True", "open", "must be true or false"),
        ("open", "open", "must be true or false"),
        ("open=true&open=true", "open", "is there twice; say it once"),
        ("colors=COLOR_RED&colors=3", "colors[1]", "must be one of COLOR_RED, COLOR_BLUE"),
        ("colors=\u0661", "colors[0]", "must be one of COLOR_RED, COLOR_BLUE"),
        ("seenAfter=yesterday", "seenAfter", "must be an instant like 2030-12-31T23:59:59Z"),
        ("seen_after=", "seen_after", "is not known; did you mean seenAfter?"),
        ("labels.0=a", '["labels.0"]', "is not known; did you mean labels?"),
        ("labels=%ff", "", "has a query that is not UTF-8"),
        ("%ff=1", "", "has a query that is not UTF-8"),
        ("=1", '[""]', "is not known; known are shop, open, pageSize, colors, labels, seenAfter"),
    ],
)
async def test_a_wrong_query_is_refused_by_its_parameter(query: str, path: str, says: str) -> None:
    """Envoy would say it in words of its own."""
    request = LIST_SHELVES.request_class(shop="mine")
    with pytest.raises(Refusal) as refused:
        await read_by_steps(LIST_SHELVES, request, f"/business/mine/shelves?{query}")
    [violation] = refused.value.violations
    assert (violation.path, violation.description, violation.in_json) == (path, says, True)


@pytest.mark.parametrize(
    "method",
    [
        a_method("/business/{inner.seconds}", [("inner", "message", ".google.protobuf.Timestamp")]),
        a_method("/business/all", [("inner", "message", ".{package}.Request")]),
        a_method("/business/all", [("rate", "double", "")]),
        a_method("/business/all", [("rate", "float", "")], body="*"),
    ],
    ids=["dotted variable", "object in a query", "double in a query", "float in a body"],
)
def test_a_route_that_cannot_be_read_strictly_stops_the_server(method: Method) -> None:
    """It would be found out by the first caller."""

    async def nobody(message: Message, _: object) -> Message:
        return message

    with pytest.raises(ContractError):
        StrictJson().wrap(method, nobody)


async def test_other_routes_and_callers_are_not_concerned() -> None:
    """A browser's page would be refused, or a message be emptied."""
    full = campaign_pb2.CreateCampaignRequest(merchant_id=MERCHANT, publish=True)
    sent = with_body(full, b'{"publish": 5}')
    before = sent.SerializeToString()
    for method, headers in ((CREATE, {}), (TRACK, {"x_envoy_original_path": "/user/x?a=1"})):
        behind = await pass_through(StrictJson(), method, sent, **headers)
        assert behind.asked == [sent]
        assert behind.asked[0].SerializeToString() == before


@pytest.mark.parametrize("field", [b"\xfa\xe9\x30\x01\xff", b"\xf8\xe9\x30\x01"])
async def test_bytes_that_are_not_envoys_are_refused(field: bytes) -> None:
    """A fault of a caller inside would be answered as ours."""
    sent = campaign_pb2.CreateCampaignRequest.FromString(PATH.SerializeToString() + field)
    with pytest.raises(Refusal) as refused:
        await read_by_steps(CREATE, sent)
    assert refused.value.message == "The request has a body that cannot be read."


async def test_the_bytes_are_not_handed_on() -> None:
    """One request would have two digests, by JSON and by gRPC."""
    sent = with_body(PATH, b'{"publish": true}')
    behind = await pass_through(StrictJson(), CREATE, sent, x_envoy_original_path="/business/x")
    read = campaign_pb2.CreateCampaignRequest(merchant_id=MERCHANT, publish=True)
    assert behind.asked[0].SerializeToString() == read.SerializeToString()


def rewards(*items: object) -> dict[str, Any]:
    rule = {"trigger": "TRIGGER_PURCHASE", "rewards": [*items]}
    return {"campaign": {"name": "x", "rule": rule}}


REWARD = {"recipient": "RECIPIENT_USER", "fixed": {"amount": "1"}}
IN_REWARDS = "campaign.rule.rewards"


@pytest.mark.parametrize(
    ("body", "paths"),
    [
        # A misspelled key is no missing one, and no member of a oneof that is missing.
        ({"campagin": {}}, ["campagin"]),
        (rewards(REWARD, {"recipient": "RECIPIENT_USER", "fixd": {}}), [f"{IN_REWARDS}[1].fixd"]),
        # What cannot be read breaks no rule.
        (rewards(REWARD, {**REWARD, "recipient": 7}), [f"{IN_REWARDS}[1].recipient"]),
        (rewards(REWARD, {**REWARD, "fixed": "1"}), [f"{IN_REWARDS}[1].fixed"]),
        (rewards(REWARD, "x"), [f"{IN_REWARDS}[1]"]),
        ({"campaign": {"name": "x", "rule": []}}, ["campaign.rule"]),
        # What is missing is missing, when nothing like it is there.
        (rewards(REWARD, {"recipient": "RECIPIENT_USER", "unheardOf": {}}), None),
        ({"unheardOf": 1}, ["unheardOf", "campaign"]),
        # What is wrong elsewhere is wrong.
        (
            rewards({**REWARD, "fixed": {"amount": "x"}}, {**REWARD, "recipient": 7}),
            [f"{IN_REWARDS}[1].recipient", f"{IN_REWARDS}[0].fixed.amount"],
        ),
        (
            {**rewards(REWARD, {**REWARD, "recipient": 7}), "requestId": "x"},
            [f"{IN_REWARDS}[1].recipient", "request_id"],
        ),
        (
            {**rewards(*[{**REWARD, "recipient": 7}] * 2, *[REWARD] * 19)},
            [f"{IN_REWARDS}[0].recipient", f"{IN_REWARDS}[1].recipient"],
        ),
    ],
)
async def test_rules_are_told_beside_the_json_but_not_what_follows_from_it(
    body: object, paths: list[str] | None
) -> None:
    """A caller would mend what is not broken, or hear of it one call later."""
    violations = await violations_of(CREATE, PATH, body)
    if paths is None:
        assert len(violations) == 2
        assert violations[1].path.startswith(f"{IN_REWARDS}[1]")
    else:
        assert [each.path for each in violations] == paths


def test_a_path_explains_itself_what_is_in_it_and_what_it_is_in() -> None:
    """`value` would explain `valueTo`, or the first item the tenth."""
    condition = "campaign.rule.conditions.conditions[0].condition"
    misread = ["campaign.rule.rewards[1].percentage", "campaign.name", f"{condition}.value"]
    faults = JsonFaults(violations=[], misread=misread)

    def unexplained(path: str) -> bool:
        violation = Violation(path=path, description="is wrong")
        return bool(faults.unexplained([violation], CREATE.request_type))

    for path in (
        "campaign.rule.rewards[1].percentage.percent",
        "campaign.rule.rewards[1].percentage",
        # A oneof, which is no field.
        "campaign.rule.rewards[1].amount",
        "campaign.rule.rewards[1]",
        "campaign.rule.rewards",
        "campaign.rule",
        "campaign",
        "campaign.name",
        "",
    ):
        assert not unexplained(path), path
    for path in (
        "campaign.rule.rewards[10].percentage",
        "campaign.rule.rewards[0]",
        "campaign.rule.rewards[1].recipient",
        "campaign.rule.trigger",
        f"{condition}.value_to",
        "campaign.priority",
        "request_id",
    ):
        assert unexplained(path), path


def test_what_is_asked_needs_no_stop() -> None:
    """The sentence would end twice."""
    asked = Violation(path="nane", description="is not known; did you mean name?")
    said = Violation(path="name", description="is required")
    assert request_invalid([asked]).message == "nane is not known; did you mean name?"
    assert request_invalid([said]).message == "name is required."
    both = request_invalid([asked, said]).message
    assert both == "nane is not known; did you mean name? name is required."
    assert request_invalid([asked] * 11).message.endswith("mean name? More is wrong.")
    assert len(request_invalid([said] * 11).violations) == 10

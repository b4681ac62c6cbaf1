"""JSON is read into messages whole and exactly, or what is wrong is said with its path."""

from __future__ import annotations

import json
from typing import Any

import pytest
from google.api import httpbody_pb2
from google.protobuf import json_format, struct_pb2, type_pb2
from hypothesis import given, settings
from hypothesis import strategies as st

from guerdon.type.v1 import money_pb2
from infrastructure.rpc.contract import ContractError
from server.interception.strict_json.messages import prepare, read_body
from server.interception.strict_json.parsing import NESTING_MAX, VALUES_MAX
from tests.server.interception.strict_json.shelves import Shelf

WHOLE = "must be a whole number"
INT32 = "must be a whole number from -2147483648 to 2147483647"
INSTANT = "must be an instant like 2030-12-31T23:59:59Z"
SPAN = "must be a span in seconds like 2592000s"
COLORS = "must be one of COLOR_RED, COLOR_DARK_RED"
INEXACT = "is a number that is not kept exactly; send it as text"
SURROGATE = "holds half of a pair of surrogates, which is no character"


def read(text: str) -> tuple[Any, dict[str, str]]:
    """A shelf as far as it could be read, and what was wrong where."""
    shelf = Shelf()
    reading = read_body(text.encode(), shelf)
    faults = {each.path: each.description for each in reading.faults}
    assert len(faults) == len(reading.faults)
    return shelf, faults


GOOD = [
    '{"whole": -2147483648, "large": "-9223372036854775808", "count": 4294967295}',
    '{"whole": 2147483647, "large": 9223372036854775807, "largeCount": "18446744073709551615"}',
    '{"whole": 1e3, "large": 2.50e1, "count": 100.0, "largeCount": -0}',
    '{"whole": "1e3", "large": "9007199254740993"}',
    '{"open": true, "label": "", "picture": "AAE="}',
    '{"open": false, "label": "\\u00e9\\ud83d\\ude00\\u0000", "picture": "-_8"}',
    '{"picture": "+/8="}',
    '{"color": "COLOR_DARK_RED", "colors": ["COLOR_RED", 2, "COLOR_UNSPECIFIED", 0]}',
    '{"labels": ["a", "", "b"], "wholes": [1, "2", 3.0]}',
    '{"seenAt": "2026-11-26T10:00:00Z", "lasts": "3600s"}',
    '{"seenAt": "2026-11-26T10:00:00.123456789+05:30", "lasts": "-0.000000001s"}',
    '{"seenAt": "0001-01-01T00:00:00Z", "lasts": "315576000000s"}',
    '{"mask": "name,rule.rewards", "wrappedWhole": "9007199254740993"}',
    '{"mask": "", "wrappedWhole": 0, "wrappedTruth": false, "wrappedText": ""}',
    '{"anything": null}',
    '{"anything": {"a": [1, 0.1, -1e300, "x", true, null, {}, []]}}',
    '{"anything": 9007199254740992, "object": {"": {}, "a.b": []}, "list": [[], {}, null]}',
    '{"object": {}, "list": []}',
    '{"inner": {}, "shelves": [{}, {"shelves": [{"label": "deep"}]}]}',
    '{"glassDoor": "", "woodenDoor": null, "noDoor": null}',
    '{"noDoor": {}, "note": ""}',
    '{"whole": null, "label": null, "labels": null, "inner": null, "seenAt": null}',
    '{"shelves": null, "wrappedText": null, "object": null, "list": null, "color": null}',
]


@pytest.mark.parametrize("text", GOOD)
def test_what_is_right_is_read_as_everywhere(text: str) -> None:
    """A body that others take would be refused, or mean something else here."""
    shelf, faults = read(text)
    assert faults == {}
    assert shelf == json_format.Parse(text, Shelf())


def test_enum_values_are_taken_in_any_case() -> None:
    """Envoy takes them so on all other routes."""
    shelf, faults = read('{"color": "color_red", "colors": ["Color_Dark_Red"]}')
    assert (faults, shelf.color, list(shelf.colors)) == ({}, 1, [2])


@pytest.mark.parametrize(
    ("text", "path", "says"),
    [
        ('{"whole": 2147483648}', "whole", INT32),
        ('{"whole": -2147483649}', "whole", INT32),
        ('{"whole": 1.5}', "whole", INT32),
        ('{"whole": 1.00000000000000000000000000000000001}', "whole", INT32),
        ('{"whole": 1e400}', "whole", INT32),
        ('{"whole": 1e99999999999999999999}', "whole", INT32),
        ('{"whole": 1e-99999999999999999999}', "whole", INT32),
        ('{"whole": ' + "9" * 5_000 + "}", "whole", INT32),
        ('{"whole": "01"}', "whole", WHOLE),
        ('{"whole": "+1"}', "whole", WHOLE),
        ('{"whole": " 1"}', "whole", WHOLE),
        ('{"whole": "1_0"}', "whole", WHOLE),
        ('{"whole": "\\u0661"}', "whole", WHOLE),
        ('{"whole": ""}', "whole", WHOLE),
        ('{"whole": true}', "whole", f"{WHOLE}, and is true or false"),
        ('{"whole": []}', "whole", f"{WHOLE}, and is a list"),
        ('{"whole": NaN}', "whole", f"{WHOLE}, and is NaN, which JSON does not know"),
        ('{"count": -1}', "count", "must be a whole number from 0 to 4294967295"),
        ('{"largeCount": 18446744073709551616}', "largeCount", "must be a whole number from 0 to "),
        ('{"open": "true"}', "open", "must be true or false"),
        ('{"open": 1}', "open", "must be true or false, and is a number"),
        ('{"label": 5}', "label", "must be text, and is a number, which stands in quotes here"),
        ('{"label": {}}', "label", "must be text, and is an object"),
        ('{"label": Infinity}', "label", "must be text, and is Infinity, which JSON does not know"),
        ('{"label": "a\\ud800b"}', "label", SURROGATE),
        ('{"label": "\\udc00\\ud800"}', "label", SURROGATE),
        ('{"picture": "?"}', "picture", "must be Base64"),
        ('{"picture": "A"}', "picture", "must be Base64"),
        ('{"picture": "+_8="}', "picture", "must be Base64"),
        ('{"color": "COLOR_BLUE"}', "color", COLORS),
        ('{"color": "RED"}', "color", COLORS),
        ('{"color": 3}', "color", COLORS),
        ('{"color": 1.5}', "color", COLORS),
        ('{"color": "1"}', "color", COLORS),
        ('{"color": true}', "color", f"{COLORS}, and is true or false"),
        ('{"colors": ["COLOR_RED", "x"]}', "colors[1]", COLORS),
        ('{"labels": ["a", null]}', "labels[1]", "must be text, and is null"),
        ('{"labels": "a"}', "labels", "must be a list, and is text"),
        ('{"labels": {"0": "a"}}', "labels", "must be a list, and is an object"),
        ('{"inner": [{}]}', "inner", "must be an object, and is a list"),
        ('{"inner": "x"}', "inner", "must be an object, and is text"),
        ('{"shelves": {}}', "shelves", "must be a list, and is an object"),
        ('{"shelves": [{}, null]}', "shelves[1]", "must be an object, and is null"),
        ('{"seenAt": "2026-11-26"}', "seenAt", INSTANT),
        ('{"seenAt": "2026-11-26T10:00:00"}', "seenAt", INSTANT),
        ('{"seenAt": "2026-13-26T10:00:00Z"}', "seenAt", INSTANT),
        ('{"seenAt": "2026-11-26t10:00:00z"}', "seenAt", INSTANT),
        ('{"seenAt": "2026-11-26T10:00:00.0000000001Z"}', "seenAt", INSTANT),
        ('{"seenAt": "2026-11-26T10:00:00+99:99"}', "seenAt", INSTANT),
        ('{"seenAt": "0001-01-01T00:00:00+23:59"}', "seenAt", INSTANT),
        ('{"seenAt": "\\u0662026-11-26T10:00:00Z"}', "seenAt", INSTANT),
        ('{"seenAt": 1767867331}', "seenAt", f"{INSTANT}, and is a number"),
        ('{"seenAt": {"seconds": 1}}', "seenAt", f"{INSTANT}, and is an object"),
        ('{"lasts": "1h"}', "lasts", SPAN),
        ('{"lasts": "1"}', "lasts", SPAN),
        ('{"lasts": "315576000001s"}', "lasts", SPAN),
        ('{"lasts": 3600}', "lasts", f"{SPAN}, and is a number"),
        ('{"mask": []}', "mask", "must be names of fields like name,rule, and is a list"),
        ('{"mask": "create_time"}', "mask", "must be names of fields like name,rule"),
        ('{"wrappedWhole": "x"}', "wrappedWhole", "must be a whole number"),
        ('{"wrappedTruth": {"value": true}}', "wrappedTruth", "must be true or false, and is an "),
        ('{"anything": 9007199254740993}', "anything", INEXACT),
        ('{"anything": 0.1000000000000000055}', "anything", INEXACT),
        ('{"anything": 1e400}', "anything", INEXACT),
        ('{"anything": 1e-400}', "anything", INEXACT),
        ('{"anything": 1e-99999999999999999999}', "anything", INEXACT),
        ('{"anything": {"a": [1, NaN]}}', "anything.a[1]", "is NaN, which JSON does not know"),
        ('{"anything": {"a": "\\ud800"}}', "anything.a", SURROGATE),
        ('{"object": {"\\ud800": 1}}', 'object["\\ud800"]', SURROGATE),
        ('{"object": {"a b": {"c": 1, "c": 2}}}', 'object["a b"].c', "is there twice; say it once"),
        ('{"object": []}', "object", "must be an object, and is a list"),
        ('{"list": {}}', "list", "must be a list, and is an object"),
        ('{"label": "a", "label": "a"}', "label", "is there twice; say it once"),
        ('{"label": null, "label": "a"}', "label", "is there twice; say it once"),
        ('{"label": "a", "l\\u0061bel": "b"}', "label", "is there twice; say it once"),
        (
            '{"glassDoor": "", "noDoor": {}}',
            "noDoor",
            "stands beside glassDoor; only one of them may be there",
        ),
        ('{"large_count": 1}', "large_count", "is not known; did you mean largeCount?"),
        ('{"inner": {"inner": {"a.b": 1}}}', 'inner.inner["a.b"]', "is not known; known are whole"),
        ('{"\\ud800": 1}', '["\\ud800"]', "is not known; known are "),
        ('{"": 1}', '[""]', "is not known; known are "),
        ('{"' + "k" * 1_000 + '": 1}', "k" * 60 + "...", "is not known; known are "),
    ],
)
def test_what_is_wrong_is_said_with_its_path(text: str, path: str, says: str) -> None:
    """It would be dropped or rounded, or the caller have to look for it."""
    _, faults = read(text)
    assert list(faults) == [path]
    assert faults[path].startswith(says)
    assert "\ud800" not in path


def nested(depth: int, inner: str = "{}") -> str:
    """A shelf in shelves, so many deep."""
    return '{"inner": ' * (depth - 1) + inner + "}" * (depth - 1)


def test_nesting_ends_at_its_limit() -> None:
    """A right rule would be too deep, or a wrong one end the server's stack."""
    assert read(nested(NESTING_MAX))[1] == {}
    too_deep = {".".join(["inner"] * NESTING_MAX): f"is nested more than {NESTING_MAX} deep"}
    assert read(nested(NESTING_MAX + 1))[1] == too_deep
    for inner in ('{"labels": []}', '{"anything": {}}', '{"list": []}', '{"object": {}}'):
        key = json.loads(inner).popitem()[0]
        assert read(nested(NESTING_MAX - 1, inner))[1] == {}
        path = ".".join(["inner"] * (NESTING_MAX - 1) + [key])
        assert read(nested(NESTING_MAX, inner))[1] == {
            path: f"is nested more than {NESTING_MAX} deep"
        }
    lists = '{"anything": ' + "[" * 31 + "]" * 31 + "}"
    assert read(lists)[1] == {}
    assert read(lists.replace("[", "[[", 1).replace("]", "]]", 1))[1].keys() == {
        "anything" + "[0]" * 31
    }


def test_what_stands_in_texts_is_not_counted() -> None:
    """Texts with many commas would be refused, or many values pass."""
    text = json.dumps({"label": ',[{"' * VALUES_MAX, "note": ',\\"' * VALUES_MAX})
    shelf, faults = read(text)
    assert faults == {}
    assert shelf == json_format.Parse(text, Shelf())
    for many in ('{"wholes": [%s]}', '{"labels": ["\\\\", %s]}'):
        assert read(many % ",".join(["0"] * VALUES_MAX))[1] == {"": "has more than 20,000 values"}
    assert read('{{"wholes": [{}]}}'.format(",".join(["0"] * (VALUES_MAX - 2))))[1] == {}


def test_what_stands_behind_a_fault_keeps_its_place() -> None:
    """A rule's fault would be told of another item."""
    shelf, faults = read('{"shelves": [5, {"label": "second"}]}')
    assert list(faults) == ["shelves[0]"]
    assert [each.label for each in shelf.shelves] == ["", "second"]


@pytest.mark.parametrize(
    "descriptor",
    [
        struct_pb2.Struct.DESCRIPTOR,
        httpbody_pb2.HttpBody.DESCRIPTOR,
        type_pb2.Option.DESCRIPTOR,
        struct_pb2.Value.DESCRIPTOR,
    ],
    ids=lambda descriptor: str(descriptor.name),
)
def test_a_type_without_exact_values_stops_the_server(descriptor: Any) -> None:
    """A double would decide about money; a map or an Any would be read by nobody."""
    with pytest.raises(ContractError):
        prepare(descriptor)
    prepare(Shelf.DESCRIPTOR)


_LEAVES: st.SearchStrategy[Any] = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=5),
    st.sampled_from(["COLOR_RED", "2026-11-26T10:00:00Z", "3600s", "1", "AAE=", "label,whole"]),
)
_KEYS = st.sampled_from([field.json_name for field in Shelf.DESCRIPTOR.fields])
_ANY = st.recursive(
    _LEAVES,
    lambda inside: st.lists(inside, max_size=3) | st.dictionaries(_KEYS, inside, max_size=4),
    max_leaves=12,
)


@settings(max_examples=600, deadline=None)
@given(st.dictionaries(_KEYS, _ANY, max_size=4))
def test_whatever_is_read_is_read_as_everywhere(body: dict[str, Any]) -> None:
    """A body would mean one thing here and another wherever proto3 JSON is read."""
    shelf = Shelf()
    if not read_body(json.dumps(body).encode(), shelf).faults:
        assert shelf == json_format.ParseDict(body, Shelf())


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=40) | st.text(max_size=40).map(str.encode))
def test_no_bytes_end_in_a_failure(data: bytes) -> None:
    """A caller's fault would be answered as ours."""
    for body in (data, b'{"label": "' + data + b'"}', b'{"' + data + b'": 1}', b"{" + data + b"}"):
        for fault in read_body(body, Shelf()).faults:
            fault.path.encode()
            fault.description.encode()


@pytest.mark.parametrize(("key", "least", "most"), [("chainId", 1, 2**63 - 1), ("decimals", 0, 36)])
def test_a_number_out_of_all_bounds_is_told_what_its_rule_allows(
    key: str, least: int, most: int
) -> None:
    """Whoever then sends the largest that its type has is refused once more."""
    reading = read_body(f'{{"{key}": 1e30}}'.encode(), money_pb2.Token())

    [fault] = reading.faults
    assert fault.description == f"must be a whole number from {least} to {most}"

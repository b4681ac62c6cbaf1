"""What writes rules and money drops nothing: every key is known, and a slip is named."""

from __future__ import annotations

import json

import pytest
from google.protobuf import json_format

from infrastructure.rpc.contract import Method
from tests.support.contract import method_ids
from tests.support.strict_json import (
    WITH_BODY,
    full_bodies,
    misspelled,
    places_of,
    read_by_steps,
    snake_case,
    violations_of,
    with_body,
)

each_with_body = pytest.mark.parametrize("method", WITH_BODY, ids=method_ids)
VALUES: tuple[object, ...] = (1, "x", None, {"a": [{}]}, [])
UNKNOWN = "zzqUnheardOf"


@each_with_body
async def test_a_full_body_means_what_it_says(method: Method) -> None:
    """A right body would be refused, or a field of it lost."""
    for path, body in full_bodies(method):
        meant = json_format.ParseDict(body, type(path)())
        meant.MergeFrom(path)
        assert await read_by_steps(method, with_body(path, json.dumps(body).encode())) == meant


@each_with_body
async def test_an_unknown_key_is_refused_with_its_path_at_every_depth(method: Method) -> None:
    """A limit that was misspelled would be no limit, and nobody would hear of it."""
    for path, body in full_bodies(method):
        for place in places_of(method.request_type, body):
            for value in VALUES:
                place.holder[UNKNOWN] = value
                [violation] = await violations_of(method, path, body)
                assert violation.path == place.path_to(UNKNOWN)
                assert violation.description.startswith("is not known; known are ")
            del place.holder[UNKNOWN]


@each_with_body
async def test_a_slip_names_the_key_that_was_meant(method: Method) -> None:
    """Whoever misspelled a key would have to compare it with the contract, letter by letter."""
    slips: dict[str, int] = {}
    for path, body in full_bodies(method):
        for place in places_of(method.request_type, body):
            fields = {field.json_name: field for field in place.message.fields}
            for key in [key for key in place.holder if key in fields]:
                kinds = {kind: list(make()) for kind, make in misspelled(key).items()}
                kinds["snake"] = [snake_case(key), fields[key].name]
                value = place.holder.pop(key)
                for kind, slip in [(kind, slip) for kind, made in kinds.items() for slip in made]:
                    if slip in fields or not slip:
                        continue
                    place.holder[slip] = value
                    [violation] = await violations_of(method, path, body)
                    assert violation.path == place.path_to(slip), kind
                    meant = violation.description.partition("; did you mean ")[2].rstrip("?")
                    assert key in meant.replace(" or ", ", ").split(", "), (kind, slip, meant)
                    slips[kind] = slips.get(kind, 0) + 1
                    del place.holder[slip]
                place.holder[key] = value
    assert slips.keys() == {"dropped", "doubled", "swapped", "snake"}


@each_with_body
async def test_a_key_is_said_once_at_every_depth(method: Method) -> None:
    """Of two limits one would win, and which one depends on who reads."""
    for path, body in full_bodies(method):
        for place in places_of(method.request_type, body):
            for key, value in [*place.holder.items()]:
                # A dictionary cannot hold a key twice; the mark stands for its second time.
                place.holder[UNKNOWN] = value
                data = json.dumps(body).replace(f'"{UNKNOWN}"', json.dumps(key)).encode()
                del place.holder[UNKNOWN]
                [violation] = await violations_of(method, path, data)
                assert violation.path == place.path_to(key)
                assert violation.description == "is there twice; say it once"

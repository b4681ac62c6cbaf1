"""What reading costs is bounded, whatever is sent."""

from __future__ import annotations

import gc
import time
from collections.abc import Iterator

import pytest

from guerdon.campaign.v1 import campaign_pb2
from infrastructure.rpc.rate_class import REQUEST_BYTES_MAX, RateClass
from server.interception.strict_json.messages import read_body
from server.interception.strict_json.parsing import VALUES_MAX

BYTES = REQUEST_BYTES_MAX[RateClass.DASHBOARD]
SECONDS_MAX = 0.25
"""Of CPU. The worst kind takes about 0.1 s on a loaded machine."""
TRIES = 3

CAMPAIGN = (b'{"campaign":{', b"}}")
RULE = (b'{"campaign":{"rule":{', b"}}}")
VALUES = (
    b'{"campaign":{"rule":{"conditions":{"conditions":[{"condition":{"value":[',
    b"]}}]}}}}",
)


def repeated(part: bytes, around: tuple[bytes, bytes], times: int | None = None) -> bytes:
    """A body of the largest size, or with a part so many times."""
    before, after = around
    fits = (BYTES - len(before) - len(after)) // (len(part) + 1)
    count = fits if times is None else min(times, fits)
    return before + b",".join([part] * count) + after


def worst_bodies() -> Iterator[tuple[str, bytes]]:
    top = (b"{", b"}")
    few = VALUES_MAX - 20
    yield "lists in lists", b'{"campaign":' + b"[" * (BYTES - 20)
    yield "objects in objects", b'{"campaign":' * (BYTES // 12)
    yield "numbers", repeated(b"0", VALUES)
    yield "numbers that may be", repeated(b"0.10", VALUES, few)
    yield "long numbers", repeated(b"0.1234567890123", VALUES, few)
    yield "lists", repeated(b"[]", VALUES)
    yield "lists that may be", repeated(b"[]", VALUES, few // 2)
    yield "objects that may be", repeated(b'{"a":{}}', VALUES, few // 3)
    yield "texts", repeated(b'""', VALUES)
    yield "texts that may be", repeated(b'"\\u00e9"', VALUES, few)
    yield "texts of commas", repeated(b'",,,,,,,,"', VALUES)
    yield "quotes that end nowhere", b'{"campaign":"' + b'\\"' * (BYTES // 2 - 10)
    yield "commas after a quote", b'{"campaign":"' + b"," * (BYTES - 20) + b"\\"
    yield "one key", repeated(b'"name":"x"', CAMPAIGN)
    yield "one key that is wrong", repeated(b'"name":0', CAMPAIGN, few)
    yield "a key that is nearly known", repeated(b'"rquestIdd":0', top, few)
    near = [b'"%b":0' % key for key in (b"xpireAst", b"statrAts", b"piroirty", b"upadtdAet")]
    yield "keys that are nearly known", repeated(b",".join(near), CAMPAIGN, few // 4)
    yield "unknown keys", b"{" + b",".join(b'"k%d":0' % i for i in range(few)) + b"}"
    yield "long unknown keys", repeated(b'"' + b"maxAmount" * 7 + b'":0', top)
    yield "rewards", repeated(b"{}", (RULE[0] + b'"rewards":[', b"]" + RULE[1]), few)
    yield "wrong rewards", repeated(b"0", (RULE[0] + b'"rewards":[', b"]" + RULE[1]), few)
    assets = (CAMPAIGN[0] + b'"budgetConfig":{"unlimitedAssets":[', b"]}" + CAMPAIGN[1])
    yield "enum values", repeated(b'"ASSET_POINTS"', assets)
    yield "enum numbers", repeated(b"1", assets, few)
    yield "a long number", CAMPAIGN[0] + b'"priority":' + b"9" * (BYTES - 40) + CAMPAIGN[1]
    yield "a long exponent", CAMPAIGN[0] + b'"priority":1e' + b"9" * (BYTES - 40) + CAMPAIGN[1]
    yield "a long text", CAMPAIGN[0] + b'"name":"' + b"\\u00e9" * (BYTES // 6 - 10) + b'"' + b"}}"
    yield "white space", b" " * BYTES


@pytest.mark.parametrize(("kind", "body"), [*worst_bodies()], ids=[k for k, _ in worst_bodies()])
def test_the_worst_body_takes_its_time_and_no_more(kind: str, body: bytes) -> None:
    """One caller's body would be waited for by all the others of its process."""
    assert len(body) <= BYTES
    assert min(seconds_of(body) for _ in range(TRIES)) < SECONDS_MAX, kind


def seconds_of(body: bytes) -> float:
    """What reading it takes, whatever garbage other tests have left to be collected meanwhile."""
    gc.disable()
    try:
        begin = time.process_time()
        read_body(body, campaign_pb2.CreateCampaignRequest())
        return time.process_time() - begin
    finally:
        gc.enable()

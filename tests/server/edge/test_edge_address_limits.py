"""What one client address may do while others are served."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from infrastructure.rpc.rate_class import REQUEST_BYTES_MAX, RateClass
from server.edge.limits import (
    ADDRESS_LIMIT_FACTOR,
    BODY_CLASSES,
    KEPT_BYTES_PER_BYTE,
)
from server.edge.listeners import REQUEST_TIMEOUT
from server.edge.overload import HEAP_BYTES_MAX, RESET_FROM
from server.edge.rate_limit import RateLimit, default_rate_limits
from tests.server.edge.backend import Backend, running_process
from tests.server.edge.raw_http import ask
from tests.server.edge.running import DESCRIPTORS, Edge, running_edge, settings_for

WEBHOOK = "/ext/merchant/m-1/webhook/custom"
BURST = 6
CALLS = 60
# Tokens that are added while a test runs, on a busy machine.
SECONDS_MAX = 5

_numbers = count(1)


@pytest.fixture(scope="module")
async def edge(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Edge]:
    """An Envoy behind a proxy, which lets an address do little, and all together much."""
    few = {rate_class: RateLimit(per_second=1, burst=BURST) for rate_class in RateClass}
    async with an_edge(tmp_path_factory.mktemp("envoy"), address_rate_limits=few) as running:
        yield running


@pytest.fixture(scope="module")
async def usual(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Edge]:
    """An Envoy behind a proxy, with the limits of bodies that it has by default."""
    async with an_edge(tmp_path_factory.mktemp("envoy")) as running:
        yield running


@asynccontextmanager
async def an_edge(folder: Path, **choices: Any) -> AsyncIterator[Edge]:
    backend = Backend(DESCRIPTORS.read_bytes())
    async with running_process(backend) as process:
        settings = settings_for([process.port], trusted_hops=1, **choices)
        async with running_edge(settings, backend, folder) as running:
            yield running


@pytest.fixture
def addresses() -> tuple[str, str]:
    """Of a stranger and of somebody else, whom no other test has called as."""
    number = next(_numbers)
    return f"198.51.100.{number}", f"203.0.113.{number}"


async def call_as(edge: Edge, address: str, path: str = "/user/track/arrival") -> int:
    sent = {"x-forwarded-for": address}
    return (await edge.public.post(path, json={}, headers=sent)).status_code


async def called(
    edge: Edge, address: str, count: int, path: str = "/user/track/arrival"
) -> Counter[int]:
    return Counter(await asyncio.gather(*(call_as(edge, address, path) for _ in range(count))))


async def test_an_address_uses_up_its_own_limit_and_no_other(
    edge: Edge, addresses: tuple[str, str]
) -> None:
    """One stranger could keep everybody else out."""
    one, other = addresses
    stranger = await called(edge, one, CALLS)
    normal = await called(edge, other, BURST)

    assert stranger[429] >= CALLS - BURST - SECONDS_MAX
    assert stranger[200] >= BURST
    assert normal == {200: BURST}


async def test_an_address_of_ipv6_is_its_network(edge: Edge) -> None:
    """A stranger has as many addresses there as it likes."""
    answers = Counter(
        await asyncio.gather(
            *(call_as(edge, f"2001:db8:0:1::{number:x}") for number in range(1, CALLS))
        )
    )
    other = await called(edge, "2001:db8:0:2::1", BURST)

    assert answers[429] >= CALLS - 1 - BURST - SECONDS_MAX
    assert other == {200: BURST}


async def test_the_limit_of_a_method_is_not_that_of_another(
    edge: Edge, addresses: tuple[str, str]
) -> None:
    """Who reports many arrivals could claim no order any more."""
    stranger, _ = addresses
    await called(edge, stranger, BURST)

    claims = await called(edge, stranger, 2, "/user/track/purchase")

    assert claims == {200: 2}


async def test_whoever_calls_too_often_has_no_bodies_read(
    edge: Edge, addresses: tuple[str, str]
) -> None:
    """The limit of a method is reached once a body was read: reading is what costs."""
    coarse = ADDRESS_LIMIT_FACTOR * BURST
    stranger, normal = addresses
    found = await called(edge, stranger, CALLS, "/nope")
    assert found[404] >= coarse
    assert found[429] >= CALLS - coarse - ADDRESS_LIMIT_FACTOR * SECONDS_MAX

    unfinished = (
        b"POST /user/track/arrival HTTP/1.1\r\nhost: a\r\nconnection: close\r\n"
        b"x-forwarded-for: " + stranger.encode() + b"\r\norigin: https://shop.example\r\n"
        b"content-length: 100\r\n\r\n"
    )
    refused = await ask(edge.public_target, unfinished)

    assert refused.status == 429
    assert refused.headers["retry-after"] == "1"
    assert refused.headers["access-control-allow-origin"] == "https://shop.example"
    assert await called(edge, normal, BURST) == {200: BURST}


def test_what_one_address_leaves_unfinished_fits_into_memory() -> None:
    """Honest uploads would be reset, since they are the largest."""
    settings = settings_for([1], address_rate_limits={})
    fastest = max(
        (settings.address_rate_limit(each) for each in RateClass),
        key=lambda limit: limit.per_second,
    ).times(ADDRESS_LIMIT_FACTOR)
    bounds = [above for above, _ in BODY_CLASSES] + [max(REQUEST_BYTES_MAX.values())]
    limits = [fastest, *(limit for _, limit in BODY_CLASSES)]
    kept = sum(
        (limit.per_second * REQUEST_TIMEOUT.total_seconds() + limit.burst)
        * most
        * KEPT_BYTES_PER_BYTE
        for most, limit in zip(bounds, limits, strict=True)
    )
    assert kept < HEAP_BYTES_MAX * RESET_FROM


@pytest.mark.parametrize("tells_its_length", [True, False])
@pytest.mark.parametrize(("above", "limit"), BODY_CLASSES)
async def test_large_bodies_have_limits_of_their_own(
    usual: Edge,
    addresses: tuple[str, str],
    tells_its_length: bool,
    above: int,
    limit: RateLimit,
) -> None:
    """Reading and checking one costs others more than a hundred calls do."""
    stranger, normal = addresses
    large = b"a" * (above + 1)
    if not tells_its_length:
        limit = BODY_CLASSES[-1][1]  # As the path may take.

    async def in_pieces() -> AsyncIterator[bytes]:
        yield large

    async def deliver(content: bytes | AsyncIterator[bytes], address: str) -> int:
        sent = {"x-forwarded-for": address}
        return (await usual.public.post(WEBHOOK, content=content, headers=sent)).status_code

    answers = Counter(
        [
            await deliver(large if tells_its_length else in_pieces(), stranger)
            for _ in range(3 * limit.burst)
        ]
    )
    small = await deliver(b"{}", stranger)
    other = await deliver(large if tells_its_length else in_pieces(), normal)

    assert set(answers) == {200, 429}
    assert answers[200] >= limit.burst
    assert (small, other) == (200, 200)


def test_an_address_may_do_a_tenth_unless_told_otherwise() -> None:
    """One address could use up what all share."""
    settings = settings_for(
        [1], address_rate_limits={RateClass.PROBE: RateLimit(per_second=7, burst=9)}
    )

    found = {each: settings.address_rate_limit(each) for each in RateClass}

    everybody = default_rate_limits()
    for rate_class in (RateClass.TRACKING, RateClass.WEBHOOK, RateClass.DASHBOARD):
        assert found[rate_class].per_second * 10 == everybody[rate_class].per_second
        assert found[rate_class].burst == found[rate_class].per_second
    assert found[RateClass.PROBE] == RateLimit(per_second=7, burst=9)
    rare = RateLimit(per_second=100, burst=1)
    assert rare.of_one_address() == RateLimit(per_second=10, burst=1)

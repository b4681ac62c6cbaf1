"""How often a caller may call, and how many bytes it may send, before anything is decoded.

Three limits stand one behind the other: a coarse one by client address before a body is read, one
by the bytes of a body, and, once a call of whichever protocol is known to be a call of a method,
one of that method, by client address and of all callers together.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import timedelta

from envoy_data_plane.envoy.config.core.v3 import (
    HeaderValue,
    HeaderValueOption,
    RuntimeFractionalPercent,
)
from envoy_data_plane.envoy.config.route.v3 import (
    HeaderMatcher,
    RateLimitAction,
    RateLimitActionHeaderValueMatch,
    RateLimitActionMaskedRemoteAddress,
)
from envoy_data_plane.envoy.config.route.v3 import RateLimit as Rule
from envoy_data_plane.envoy.extensions.common.ratelimit.v3 import (
    LocalRateLimitDescriptor,
    RateLimitDescriptorEntry,
)
from envoy_data_plane.envoy.extensions.filters.http.local_ratelimit.v3 import LocalRateLimit
from envoy_data_plane.envoy.type.matcher.v3 import RegexMatcher, StringMatcher
from envoy_data_plane.envoy.type.v3 import (
    FractionalPercent,
    FractionalPercentDenominatorType,
    Int64Range,
    TokenBucket,
)

from infrastructure.rpc.rate_class import REQUEST_BYTES_MAX, RateClass
from server.edge.contract import PublicMethod, first_segment
from server.edge.rate_limit import RateLimit
from server.edge.settings import EdgeSettings

RATE_LIMIT_FILTER = "envoy.filters.http.local_ratelimit"
ADDRESS_LIMIT_FILTER = "address_limit"
BODY_LIMIT_FILTER = "envoy.filters.http.buffer"

RETRY_AFTER_SECONDS = 1
# A page, a shop and a health check of one address share the coarse limit.
ADDRESS_LIMIT_FACTOR = 2
# Of a piece of a body with more than 512 bytes Envoy keeps 4 KiB, so that a body may cost eight
# times its bytes. As many unfinished ones as one address may begin within the request's timeout are
# to fit into Envoy's memory; a test adds them up. Reading large ones costs others time as well.
KEPT_BYTES_PER_BYTE = 8
BODY_CLASSES = (
    (8 << 10, RateLimit(per_second=30, burst=60)),
    (64 << 10, RateLimit(per_second=5, burst=15)),
)
"""From how many bytes on a body is counted, and how many of those one address may send."""
# A flag and a length stand before a gRPC message.
GRPC_FRAME_BYTES = 5
# Addresses that are remembered a limit. The one that was silent for longest is forgotten first.
ADDRESSES_MAX = 10_000
# An IPv4 address, and the network that one subscriber of IPv6 is given.
_ADDRESS = RateLimitAction(
    masked_remote_address=RateLimitActionMaskedRemoteAddress(
        v4_prefix_mask_len=32, v6_prefix_mask_len=64
    )
)
VERB_WITH_BODY = HeaderMatcher(
    name=":method", string_match=StringMatcher(safe_regex=RegexMatcher(regex="POST|PUT|PATCH"))
)
"""A call of JSON whose body is read."""
_ADDRESS_KEY = "masked_remote_address"
_HEADERS_KEY = "header_match"


def no_limit() -> LocalRateLimit:
    """For routes that have none of their own."""
    return LocalRateLimit(stat_prefix="rate_limit")


def method_limit(edge: EdgeSettings, rate_class: RateClass) -> LocalRateLimit:
    """Of one method: for each client address, and for all of them together.

    Whoever is over its own limit uses nothing of what is for all.
    """
    return _limit(
        "rate_limit",
        everybody=edge.rate_limits[rate_class],
        rules=[Rule(actions=[_ADDRESS])],
        descriptors=[_descriptor({_ADDRESS_KEY: ""}, edge.address_rate_limit(rate_class))],
    )


def address_limit(edge: EdgeSettings, methods: Sequence[PublicMethod]) -> LocalRateLimit:
    """Of one client address, before its body is read, whatever it calls.

    Bodies that may be large and are large, or do not say how large they are, have limits of their
    own.
    """
    largest = max(
        (edge.address_rate_limit(rate_class) for rate_class in RateClass),
        key=lambda limit: (limit.per_second, limit.burst),
    )
    rules = [Rule(actions=[_ADDRESS])]
    descriptors = [_descriptor({_ADDRESS_KEY: ""}, largest.times(ADDRESS_LIMIT_FACTOR))]
    for above, limit in BODY_CLASSES:
        large, takes_large = f"above_{above}", f"takes_above_{above}"
        takes = [VERB_WITH_BODY, _path_that_takes_bodies_above(above, methods)]
        rules.append(
            Rule(
                actions=[
                    _ADDRESS,
                    _header_match(takes_large, takes),
                    _header_match(large, [_body_up_to(above)], expect=False),
                ]
            )
        )
        entries = {_ADDRESS_KEY: "", _HEADERS_KEY: takes_large, f"{_HEADERS_KEY}_{large}": large}
        descriptors.append(_descriptor(entries, limit))
    return _limit(ADDRESS_LIMIT_FILTER, everybody=None, rules=rules, descriptors=descriptors)


def body_limits(methods: Sequence[PublicMethod]) -> dict[str, int]:
    """The most bytes of a body below each first segment of a JSON path: of what is there."""
    found: dict[str, int] = {}
    for method in methods:
        for path in method.json_paths:
            segment = first_segment(path)
            found[segment] = max(found.get(segment, 0), REQUEST_BYTES_MAX[method.rate_class])
    return dict(sorted(found.items()))


def grpc_body_limit(message_bytes_max: int) -> int:
    """The same of a call by gRPC, which has one message."""
    return message_bytes_max + GRPC_FRAME_BYTES


def _path_that_takes_bodies_above(above: int, methods: Sequence[PublicMethod]) -> HeaderMatcher:
    segments = [path for path, most in body_limits(methods).items() if most > above]
    large: dict[str, set[str]] = {}
    small = set()
    for method in methods:
        if REQUEST_BYTES_MAX[method.rate_class] > above:
            large.setdefault(method.service, set()).add(method.grpc_path)
        else:
            small.add(method.service)
    # A service whose methods are all alike is named once: the pattern is read for every request.
    calls = [
        path
        for service, paths in sorted(large.items())
        for path in (sorted(paths) if service in small else [f"/{service}"])
    ]
    either = "|".join(map(re.escape, [*segments, *calls]))
    return HeaderMatcher(
        name=":path",
        string_match=StringMatcher(safe_regex=RegexMatcher(regex=f"(?:{either})(?:[/?].*)?")),
    )


def _body_up_to(most: int) -> HeaderMatcher:
    return HeaderMatcher(name="content-length", range_match=Int64Range(start=0, end=most + 1))


def _header_match(
    value: str, headers: list[HeaderMatcher], *, expect: bool = True
) -> RateLimitAction:
    key = _HEADERS_KEY if expect else f"{_HEADERS_KEY}_{value}"
    return RateLimitAction(
        header_value_match=RateLimitActionHeaderValueMatch(
            descriptor_key=key, descriptor_value=value, expect_match=expect, headers=headers
        )
    )


def _descriptor(entries: dict[str, str], limit: RateLimit) -> LocalRateLimitDescriptor:
    """A bucket for each value of the entries that have none."""
    return LocalRateLimitDescriptor(
        entries=[RateLimitDescriptorEntry(key=key, value=value) for key, value in entries.items()],
        token_bucket=_bucket(limit),
    )


def _limit(
    name: str,
    *,
    everybody: RateLimit | None,
    rules: list[Rule],
    descriptors: list[LocalRateLimitDescriptor],
) -> LocalRateLimit:
    always = RuntimeFractionalPercent(
        default_value=FractionalPercent(
            numerator=100, denominator=FractionalPercentDenominatorType.HUNDRED
        )
    )
    return LocalRateLimit(
        stat_prefix=name,
        token_bucket=None if everybody is None else _bucket(everybody),
        filter_enabled=always,
        filter_enforced=always,
        rate_limits=rules,
        descriptors=descriptors,
        max_dynamic_descriptors=ADDRESSES_MAX,
        always_consume_default_token_bucket=everybody is not None,
        # Otherwise native gRPC callers read UNAVAILABLE and try again at once.
        rate_limited_as_resource_exhausted=True,
        response_headers_to_add=[
            HeaderValueOption(header=HeaderValue(key="retry-after", value=str(RETRY_AFTER_SECONDS)))
        ],
    )


def _bucket(limit: RateLimit) -> TokenBucket:
    return TokenBucket(
        max_tokens=limit.burst,
        tokens_per_fill=limit.per_second,
        fill_interval=timedelta(seconds=1),
    )

"""The rate classes of the contract, and how many bytes a request of each may have."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum

from guerdon.options.v1 import method_pb2


class RateClass(IntEnum):
    """How often a method may be called through one Envoy; `RateClass` of the contract."""

    TRACKING = method_pb2.RATE_CLASS_TRACKING
    WEBHOOK = method_pb2.RATE_CLASS_WEBHOOK
    DASHBOARD = method_pb2.RATE_CLASS_DASHBOARD
    PROBE = method_pb2.RATE_CLASS_PROBE


REQUEST_BYTES_MAX: Mapping[RateClass, int] = {
    RateClass.TRACKING: 16 << 10,
    RateClass.WEBHOOK: 1 << 20,
    RateClass.DASHBOARD: 256 << 10,
    RateClass.PROBE: 4 << 10,
}
"""The most bytes of a request, before anything of it is decoded: of a JSON body, and of a
gRPC message.
"""
UNROUTED_REQUEST_BYTES_MAX = 1 << 20
"""The same of a method without a route, which has no class."""

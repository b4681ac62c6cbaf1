"""Touchpoints."""

from __future__ import annotations

from collections.abc import Mapping

from guerdon.attribution.v1 import attribution_pb2
from tests.contract.valid_calls.making import MERCHANT, Make, about

REQUESTS: Mapping[str, Make] = {
    "guerdon.attribution.v1.AttributionService.ListTouchpoints": about(
        attribution_pb2.ListTouchpointsRequest, **MERCHANT
    ),
}

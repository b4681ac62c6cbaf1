"""Referral links."""

from __future__ import annotations

from collections.abc import Mapping

from guerdon.referral.v1 import referral_pb2
from tests.contract.valid_calls.making import MERCHANT, Make, about

REQUESTS: Mapping[str, Make] = {
    "guerdon.referral.v1.ReferralService.GetReferralChain": about(
        referral_pb2.GetReferralChainRequest, **MERCHANT, identity_group_id="identity_group_id"
    ),
    "guerdon.referral.v1.ReferralService.ListReferralLinks": about(
        referral_pb2.ListReferralLinksRequest,
        **MERCHANT,
        referrer_identity_group_id="referrer_group_id",
    ),
}

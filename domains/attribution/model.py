"""Through which door somebody came."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from vocabulary.ids import IdentityGroupId, MerchantId, TouchpointId


class Source(StrEnum):
    """What brought somebody."""

    REFERRAL_LINK = "referral_link"
    PAID_AD = "paid_ad"
    DIRECT = "direct"


@dataclass(frozen=True, slots=True, kw_only=True)
class Utm:
    """The parameters by which advertisers mark their links. Empty: absent."""

    source: str = ""
    medium: str = ""
    campaign: str = ""
    term: str = ""
    content: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Touchpoint:
    """One arrival of one person at one merchant."""

    touchpoint_id: TouchpointId
    merchant_id: MerchantId
    identity_group_id: IdentityGroupId
    source: Source
    referrer_group_id: IdentityGroupId | None
    landing_url: str
    utm: Utm | None
    arrival_time: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class TouchQuery:
    """Asks what brought a person to a merchant, as of a time.

    `referrer_group_id` is whose link may be credited; None if nobody's may.
    """

    merchant_id: MerchantId
    identity_group_id: IdentityGroupId
    referrer_group_id: IdentityGroupId | None
    time: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class AttributedTouch:
    """The arrival that names where somebody came from."""

    touchpoint_id: TouchpointId
    source: Source
    utm: Utm | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribution:
    """What brought a person, within the look-back.

    `touched_by_referrer` says whether one of the arrivals names the referrer that was asked
    for. `touch` is the newest arrival by a person's link, else the newest of any kind; None if
    there was none.
    """

    touched_by_referrer: bool
    touch: AttributedTouch | None


def classify(*, names_referrer: bool, utm: Utm) -> Source:
    """Which door an arrival came through: a person's link, else an advertisement's.

    `utm_term` and `utm_content` alone do not make an advertisement.
    """
    if names_referrer:
        return Source.REFERRAL_LINK
    if utm.source or utm.medium or utm.campaign:
        return Source.PAID_AD
    return Source.DIRECT

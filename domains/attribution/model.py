"""Through which door somebody came."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from urllib.parse import parse_qsl, urlsplit

from vocabulary.ids import IdentityGroupId, MerchantId, TouchpointId
from vocabulary.nobody import is_absent


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


@dataclass(frozen=True, slots=True, kw_only=True)
class CreditQuery:
    """Asks how a person came to be credited to a referrer, or how nearly.

    The event happened at `event_time`, and was decided as of `credit_time`: that, or later by the
    merchant's tolerance of clocks if nobody was credited as of that. `referrer_group_id` None:
    nobody was credited.
    """

    merchant_id: MerchantId
    identity_group_id: IdentityGroupId
    referrer_group_id: IdentityGroupId | None
    event_time: datetime
    credit_time: datetime
    look_back: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Credit:
    """Which arrival by a person's link counted, and which nearly did.

    `touch_time` is when the link was followed last that was credited; `needed_tolerance` says
    that it was never followed before the event. Without a credit, `late_touch_time` and
    `early_touch_time` are the arrivals by a link nearest to the time in which they count, up to
    a day outside of it.
    """

    touch_time: datetime | None = None
    needed_tolerance: bool = False
    late_touch_time: datetime | None = None
    early_touch_time: datetime | None = None


LANDING_URL_CHARACTERS_MAX = 2_048
"""How much of the address of a page is kept."""

UTM_CHARACTERS_MAX = 255
"""How much of each parameter is kept."""


def utm_of(said: Utm, landing_url: str) -> Utm:
    """How an arrival is marked: as was said, and where nothing was, by the page's address."""
    try:
        query = urlsplit(landing_url).query
    except ValueError:
        # It is no address; nothing stands in it.
        query = ""
    pairs = parse_qsl(query.replace("%00", "").replace("&amp;", "&"))
    marks = {name.lower(): value for name, value in reversed(pairs)}
    return Utm(
        **{
            name: _mark(value) or _mark(marks.get(f"utm_{name}", ""))
            for name, value in asdict(said).items()
        }
    )


def _mark(text: str) -> str:
    """A parameter as it is kept; empty for what a program writes when it has none."""
    bare = text.replace("\0", "").strip()
    return "" if is_absent(bare) else bare[:UTM_CHARACTERS_MAX]


def source_of(utm: Utm) -> Source:
    """What an arrival counts as that followed no other person's link.

    `utm_term` and `utm_content` alone do not make an advertisement.
    """
    if utm.source or utm.medium or utm.campaign:
        return Source.PAID_AD
    return Source.DIRECT

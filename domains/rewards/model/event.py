"""Events that may earn, and what was made of them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from vocabulary.ids import (
    CampaignId,
    IdentityGroupId,
    InteractionId,
    MerchantId,
    PurchaseId,
    ReferralLinkId,
    ReversalId,
)

TRIES_MAX = 5
DECISIONS_KEPT = timedelta(days=400)
RETRY_PAUSE = timedelta(seconds=10)
WAIT_PAUSE = timedelta(seconds=30)
WAIT_PAUSE_MAX = timedelta(hours=1)
BROWSER_CHARACTERS = 32


class InteractionKind(StrEnum):
    """What happened."""

    REFERRAL = "referral"
    PURCHASE = "purchase"


class InteractionState(StrEnum):
    """Where an interaction stands."""

    PENDING = "pending"
    DECIDED = "decided"
    CANCELLED = "cancelled"
    DEAD = "dead"


class Obstacle(StrEnum):
    """Why an interaction is not decided yet, or a lane was set back."""

    NONE = ""
    RATE_MISSING = "RATE_MISSING"
    CAMPAIGNS_UNREADABLE = "CAMPAIGNS_UNREADABLE"
    DECIDING_FAILED = "DECIDING_FAILED"
    TIMED_OUT = "TIMED_OUT"
    CONNECTION_LOST = "CONNECTION_LOST"
    REVERSAL_FAILED = "REVERSAL_FAILED"

    @classmethod
    def _missing_(cls, _: object) -> Obstacle:
        """A newer version may have had another reason; that is no reason not to read the row."""
        return cls.DECIDING_FAILED


class Outcome(StrEnum):
    """How a decision ended."""

    GRANTED = "granted"
    NOT_MATCHED = "not_matched"
    NOT_ACTIVE = "not_active"
    NOTHING_TO_PAY = "nothing_to_pay"
    BUDGET_REFUSED = "budget_refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Interaction:
    """Something that may earn, at one merchant.

    A purchase is one life of one order: `order_reference` and `generation`; its buyer and its
    time are the order's. A referral is one person who was brought: `identity_group_id`, by the
    link `referral_link_id`, at `event_time`. The other kind's fields are None.

    `referrer_group_id` is who is credited with having brought the person, as of `credit_time`,
    once decided; `needed_rate` is the rate that it waits for, as in `USD/EUR`.
    """

    interaction_id: InteractionId
    merchant_id: MerchantId
    kind: InteractionKind
    event_reference: str
    order_reference: str | None
    generation: int | None
    identity_group_id: IdentityGroupId | None
    referral_link_id: ReferralLinkId | None
    event_time: datetime | None
    state: InteractionState
    due_time: datetime
    try_count: int
    wait_count: int
    obstacle: Obstacle
    needed_rate: str | None
    decide_time: datetime | None
    referrer_group_id: IdentityGroupId | None
    credit_time: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class InteractionView:
    """An interaction with what its order knows of it: buyer, purchase and time.

    `rate_start_time` is from when on, exclusively, a rate may be that it waits for; up to its
    own time.
    """

    interaction: Interaction
    identity_group_id: IdentityGroupId | None
    purchase_id: PurchaseId | None
    event_time: datetime
    rate_start_time: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionRecord:
    """What one campaign made of one event."""

    interaction_id: InteractionId
    merchant_id: MerchantId
    campaign_id: CampaignId
    rule_version: int
    sequence: int
    outcome: Outcome
    details: Mapping[str, object]
    decide_time: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderLife:
    """One generation of one order, from confirmed to taken back."""

    order_reference: str
    generation: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Reversal:
    """An order was taken back: one generation of it earns nothing."""

    reversal_id: ReversalId
    life: OrderLife
    try_count: int
    create_time: datetime


def event_reference(order_reference: str, generation: int) -> str:
    """The name of an order's event: `purchase:<id>`, with `#2` for the second generation.

    A `#` in the id is doubled, so that no order's first generation has the name of another
    one's second.
    """
    suffix = f"#{generation}" if generation > 1 else ""
    return "purchase:" + order_reference.replace("#", "##") + suffix


def referral_reference(client_id: str) -> str:
    """The name of a referral: that somebody was brought who came with this browser.

    Referrals of one instant are decided in the order of their names, which are the same
    however often history is imported. The browser's id is a secret, so its hash stands there.
    """
    browser = hashlib.sha256(client_id.encode()).hexdigest()[:BROWSER_CHARACTERS]
    return f"referral:{browser}"


def retry_pause(try_count: int) -> timedelta | None:
    """How long a failed interaction waits after so many tries; None: no more, it is dead."""
    if try_count >= TRIES_MAX:
        return None
    pause: timedelta = RETRY_PAUSE * 2**try_count
    return pause


def wait_pause(wait_count: int) -> timedelta:
    """How long an interaction that lacks something from outside waits.

    It never dies of waiting.
    """
    pause: timedelta = WAIT_PAUSE * 2 ** min(wait_count, 10)
    return min(pause, WAIT_PAUSE_MAX)

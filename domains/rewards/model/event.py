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

WORKERS = "reward_work"
"""The channel on which workers are told to look now."""

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
    """Where an event stands."""

    PENDING = "pending"
    DECIDED = "decided"
    CANCELLED = "cancelled"
    DEAD = "dead"


class Outcome(StrEnum):
    """How a decision ended."""

    GRANTED = "granted"
    NOT_MATCHED = "not_matched"
    NOT_ACTIVE = "not_active"
    NOTHING_TO_PAY = "nothing_to_pay"
    BUDGET_REFUSED = "budget_refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Interaction:
    """One event of one person at one merchant.

    `referrer_group_id` is who is credited with having brought the person, once decided.
    """

    interaction_id: InteractionId
    merchant_id: MerchantId
    kind: InteractionKind
    event_reference: str
    identity_group_id: IdentityGroupId
    purchase_id: PurchaseId | None
    state: InteractionState
    event_time: datetime
    due_time: datetime
    try_count: int
    wait_count: int
    obstacle: str
    decide_time: datetime | None
    referrer_group_id: IdentityGroupId | None


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
class Reversal:
    """An order was taken back: one generation of it earns nothing."""

    reversal_id: ReversalId
    event_reference: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """The order in which a merchant's rewards are decided, and how far that has come."""

    merchant_id: MerchantId
    held: bool
    due_count: int
    waiting_count: int
    dead_count: int
    oldest_due_time: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingLane:
    """A merchant for whom there is something to do, and from when."""

    merchant_id: MerchantId
    due_time: datetime
    exists: bool


def event_reference(order_reference: str, generation: int) -> str:
    """The name of an order's event: `purchase:<id>`, with `#2` for the second generation.

    A `#` in the id is doubled, so that no order's first generation has the name of another
    one's second.
    """
    suffix = f"#{generation}" if generation > 1 else ""
    return "purchase:" + order_reference.replace("#", "##") + suffix


def referral_reference(client_id: str, referral_link_id: ReferralLinkId) -> str:
    """The name of the event that a browser came through a link for the first time.

    Events of one instant are decided in the order of their names: by the browser, which is the
    same however often history is imported, before the link, whose id is random. The browser's
    id is a secret, so its hash stands there.
    """
    browser = hashlib.sha256(client_id.encode()).hexdigest()[:BROWSER_CHARACTERS]
    return f"referral:{browser}:{referral_link_id}"


def retry_pause(try_count: int) -> timedelta | None:
    """How long a failed event waits after so many tries; None: no more, it is dead."""
    if try_count >= TRIES_MAX:
        return None
    pause: timedelta = RETRY_PAUSE * 2**try_count
    return pause


def wait_pause(wait_count: int) -> timedelta:
    """How long an event that lacks something from outside waits. It never dies of waiting."""
    pause: timedelta = WAIT_PAUSE * 2 ** min(wait_count, 10)
    return min(pause, WAIT_PAUSE_MAX)

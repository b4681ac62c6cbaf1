"""Signed messages of shops."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from domains.purchases.model.note import Note
from vocabulary.ids import DeliveryId, MerchantId
from vocabulary.nobody import is_nobody

TRIES_MAX = 5
REFERENCE_CHARACTERS_MAX = 255
KEPT = timedelta(days=90)
_RETRY_PAUSES = (
    timedelta(seconds=5),
    timedelta(seconds=30),
    timedelta(minutes=5),
    timedelta(minutes=30),
)


class DeliveryState(StrEnum):
    """What became of a delivery."""

    APPLIED = "applied"
    IGNORED = "ignored"
    FAILED = "failed"
    DEAD = "dead"


class PassedOver(StrEnum):
    """Why a delivery that is right changed nothing."""

    NOT = ""
    TRIAL = "trial"
    NOTHING_NEW = "nothing_new"

    @property
    def sentence(self) -> str:
        """For the shop's developer, behind `ko: `."""
        match self:
            case PassedOver.TRIAL:
                return "trial deliveries are not accepted in production"
            case PassedOver.NOTHING_NEW:
                return "it says nothing newer than what is known of the order"
            case PassedOver.NOT:
                return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One signed message of a shop, as it was received.

    `try_count` is how often it failed although others that earn were applied, its first try
    included; `failure_count` how often it failed at all; `receive_time` when it first came,
    `body_time` when it first came with this body. `notes` say what was left out of it.
    """

    delivery_id: DeliveryId
    merchant_id: MerchantId
    platform: str
    event_reference: str
    headers: dict[str, str]
    body: bytes
    state: DeliveryState
    failure: str
    try_count: int
    failure_count: int
    receive_time: datetime
    body_time: datetime
    passed_over: PassedOver = PassedOver.NOT
    notes: Sequence[Note] = ()


def retry_pause(failure_count: int) -> timedelta:
    """How long to wait after so many failures, half an hour at the most."""
    return _RETRY_PAUSES[min(failure_count, len(_RETRY_PAUSES)) - 1]


def event_reference(webhook_id: str, body: bytes) -> str:
    """What tells a delivery apart: the sender's id for it, else the hash of its body.

    An id that is too long for an index stands there as its hash. A word that stands for none is
    none: every delivery that has it would be the same one.
    """
    if is_nobody(webhook_id):
        webhook_id = ""
    if len(webhook_id) > REFERENCE_CHARACTERS_MAX:
        return hashlib.sha256(webhook_id.encode()).hexdigest()
    return webhook_id or hashlib.sha256(body).hexdigest()

"""Signed messages of shops."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Self

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


class FailureKind(StrEnum):
    """Why applying a delivery failed."""

    BODY_UNUSABLE = "BODY_UNUSABLE"
    SERVER_FAILED = "SERVER_FAILED"
    TIMED_OUT = "TIMED_OUT"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryFailure:
    """Why applying a delivery failed, and what is known of it.

    Of a body that is unusable, `detail` is what is wrong with which field; else the fault's name,
    which only we read.
    """

    kind: FailureKind
    detail: str

    @classmethod
    def from_text(cls, text: str) -> Self | None:
        """What `text` kept; also what it was before there were kinds."""
        if not text:
            return None
        begin, _, detail = text.partition(" ")
        if begin in set(FailureKind):
            return cls(kind=FailureKind(begin), detail=detail)
        kind = FailureKind.BODY_UNUSABLE if detail else FailureKind.SERVER_FAILED
        return cls(kind=kind, detail=text)

    @property
    def text(self) -> str:
        """As it is kept."""
        return f"{self.kind} {self.detail}"

    @property
    def sentence(self) -> str:
        """For the shop's developer."""
        match self.kind:
            case FailureKind.BODY_UNUSABLE:
                return f"It can never be applied: {self.detail}."
            case FailureKind.SERVER_FAILED:
                return "The server failed to apply it; the log has more."
            case FailureKind.TIMED_OUT:
                return "Applying it took too long."


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One signed message of a shop, as it was received.

    `signed_digest` tells it apart: the same signed bytes are the same delivery. `event_reference`
    is what its sender calls it, if anything, which is shown and nothing else. `try_count` is how
    often it failed although others that earn were applied, its first try included;
    `failure_count` how often it failed at all; `receive_time` when it first came, `body_time`
    when its body did. `notes` say what was left out of it.
    """

    delivery_id: DeliveryId
    merchant_id: MerchantId
    platform: str
    signed_digest: bytes
    event_reference: str
    headers: dict[str, str]
    body: bytes
    state: DeliveryState
    failure: DeliveryFailure | None
    try_count: int
    failure_count: int
    receive_time: datetime
    body_time: datetime
    passed_over: PassedOver = PassedOver.NOT
    notes: Sequence[Note] = ()


def retry_pause(failure_count: int) -> timedelta:
    """How long to wait after so many failures, half an hour at the most."""
    return _RETRY_PAUSES[min(failure_count, len(_RETRY_PAUSES)) - 1]


def event_reference(event_id: str) -> str:
    """What its sender calls a delivery, as far as it is kept. A word for none is none."""
    return "" if is_nobody(event_id) else event_id[:REFERENCE_CHARACTERS_MAX]


def trial_digest(signed_digest: bytes) -> bytes:
    """What tells a trial apart that is passed over.

    Once the shop is in earnest it may send the same bytes again: that is another delivery.
    """
    return hashlib.sha256(b"trial." + signed_digest).digest()

"""What a decision results in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from domains.campaign.model.budget import Charge, Refused
from domains.campaign.model.rule import Recipient
from vocabulary.amounts import Unit
from vocabulary.ids import CampaignId, IdentityGroupId


class Outcome(StrEnum):
    """How a decision ended."""

    GRANTED = "granted"
    NOT_MATCHED = "not_matched"
    NOT_ACTIVE = "not_active"
    NOTHING_TO_PAY = "nothing_to_pay"
    BUDGET_REFUSED = "budget_refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """One reward to be. `depth` is None when the amount is not shared along a chain."""

    definition_index: int
    depth: int | None
    recipient: IdentityGroupId
    role: Recipient
    unit: Unit
    base_units: int
    description: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What one campaign made of one event, and why."""

    campaign_id: CampaignId
    rule_version: int
    outcome: Outcome
    details: Mapping[str, object]
    grants: Sequence[Grant] = ()
    charges: Sequence[Charge] = ()
    refused: Refused | None = None

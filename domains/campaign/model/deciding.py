"""The kernel: what one campaign makes of one event. Pure, so that it can be replayed.

`decide` sees the event's facts and the budgets as they stand, and answers with what is granted
and how the budgets stand afterwards. Live work, simulation and replay call the same function.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

from domains.campaign.model.amount import AmountError, fixed, goods, percentage, split
from domains.campaign.model.budget import BudgetState, Charge, Refused, WindowKey
from domains.campaign.model.campaign import Campaign, CampaignState
from domains.campaign.model.condition import first_failure
from domains.campaign.model.rate import ExchangeRate, Pair
from domains.campaign.model.rule import (
    FixedAmount,
    PercentageAmount,
    PercentOf,
    Recipient,
    RewardDefinition,
    Trigger,
)
from vocabulary.amounts import Unit
from vocabulary.ids import CampaignId, IdentityGroupId


class Outcome(StrEnum):
    """How a decision ended."""

    GRANTED = "granted"
    NOT_MATCHED = "not_matched"
    NOT_ACTIVE = "not_active"
    NOTHING_TO_PAY = "nothing_to_pay"
    BUDGET_REFUSED = "budget_refused"


class RateMissingError(Exception):
    """An amount cannot be converted yet. The event waits; nothing is guessed."""

    def __init__(self, pair: Pair) -> None:
        super().__init__(str(pair))
        self.pair = pair


@dataclass(frozen=True, slots=True, kw_only=True)
class PurchaseFacts:
    """What of an order money is computed from.

    `subtotal` is what its lines come to; None: it has none, or, if it `has_lines`, that is not
    known.
    """

    amount: Decimal
    subtotal: Decimal | None
    has_lines: bool
    currency: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EventFacts:
    """What a decision may see of an event.

    `triggers` are the triggers that the event fires; `context` is what conditions ask about;
    `chain` are the people above, nearest first, empty when nobody is credited; `rates` are
    those that hold as of the event.
    """

    triggers: frozenset[Trigger]
    event_time: datetime
    person: IdentityGroupId
    chain: Sequence[IdentityGroupId]
    purchase: PurchaseFacts | None
    context: Mapping[str, Any]
    rates: Mapping[Pair, ExchangeRate]


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


@dataclass(slots=True)
class _Computed:
    grants: list[Grant] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    rates: dict[str, dict[str, str]] = field(default_factory=dict)


def decide(
    campaign: Campaign, facts: EventFacts, state: BudgetState
) -> tuple[Decision, BudgetState]:
    """What the campaign makes of the event, and the budgets after it.

    All of the campaign's grants fit into its budgets, or none is made.

    Raises:
        RateMissingError: the conditions are met, and an amount needs a rate that is unknown.
    """

    def ended(outcome: Outcome, **details: object) -> Decision:
        return Decision(
            campaign_id=campaign.campaign_id,
            rule_version=campaign.rule_version,
            outcome=outcome,
            details=details,
        )

    inactive = why_inactive(campaign, facts.event_time)
    if inactive is not None:
        return ended(Outcome.NOT_ACTIVE, why=inactive), state
    failure = first_failure(campaign.rule.conditions, facts.context)
    if failure is not None:
        return ended(Outcome.NOT_MATCHED, failed=failure.to_document()), state

    computed = _compute(campaign, facts)
    details: dict[str, object] = {}
    if computed.errors:
        details["errors"] = computed.errors
    if computed.rates:
        details["rates"] = computed.rates
    if not computed.grants:
        return ended(Outcome.NOTHING_TO_PAY, **details), state

    charges, refused = _charge(campaign, facts.event_time, computed.grants, state)
    if refused is not None:
        details["refused"] = {
            "label": refused.label,
            "wanted": str(refused.base_units),
            "used": str(refused.used),
            "limit": str(refused.limit),
            "window_start": refused.key.start_time.isoformat(),
        }
        return replace(ended(Outcome.BUDGET_REFUSED, **details), refused=refused), state
    details["granted"] = [_grant_document(grant) for grant in computed.grants]
    granted = replace(ended(Outcome.GRANTED, **details), grants=computed.grants, charges=charges)
    return granted, state.after(charges)


def why_inactive(campaign: Campaign, event_time: datetime) -> str | None:
    """Why the campaign pays nothing for what happened then; None if it may pay."""
    if campaign.state is not CampaignState.ACTIVE:
        return str(campaign.state)
    if event_time < begin_of(campaign):
        return "before its start"
    if campaign.expire_time is not None and event_time >= campaign.expire_time:
        return "expired"
    return None


def begin_of(campaign: Campaign) -> datetime:
    """From when what happens earns: the campaign's start, else its publishing."""
    begin = campaign.start_time or campaign.publish_time
    assert begin is not None, "only published campaigns are asked"
    return begin


def _compute(campaign: Campaign, facts: EventFacts) -> _Computed:
    computed = _Computed()
    for index, definition in enumerate(campaign.rule.rewards):
        try:
            computed.grants.extend(_grants(index, definition, campaign, facts, computed.rates))
        except AmountError as error:
            computed.errors.append(f"rewards[{index}]: {error}")
    return computed


def _grants(
    index: int,
    definition: RewardDefinition,
    campaign: Campaign,
    facts: EventFacts,
    rates: dict[str, dict[str, str]],
) -> list[Grant]:
    unit = campaign.units.of(definition.asset)
    if definition.recipient is Recipient.REFERRER and not facts.chain:
        message = "nobody is credited with having brought this person"
        raise AmountError(message)
    base_units = _amount(definition, unit, campaign.units.peg_currency, facts, rates)

    def grant(recipient: IdentityGroupId, role: Recipient, amount: int, depth: int | None) -> Grant:
        return Grant(
            definition_index=index,
            depth=depth,
            recipient=recipient,
            role=role,
            unit=unit,
            base_units=amount,
            description=definition.description,
        )

    if definition.recipient is not Recipient.REFERRER:
        return [grant(facts.person, definition.recipient, base_units, None)]
    if definition.chaining is None:
        return [grant(facts.chain[0], Recipient.REFERRER, base_units, None)]
    return [
        grant(facts.person, Recipient.REFEREE, share.base_units, 0)
        if share.depth == 0
        else grant(facts.chain[share.depth - 1], Recipient.REFERRER, share.base_units, share.depth)
        for share in split(base_units, definition.chaining, facts.chain)
    ]


def _amount(
    definition: RewardDefinition,
    unit: Unit,
    peg_currency: str,
    facts: EventFacts,
    rates: dict[str, dict[str, str]],
) -> int:
    match definition.amount:
        case FixedAmount():
            return fixed(definition.amount, unit)
        case PercentageAmount():
            purchase = facts.purchase
            if purchase is None:
                message = "a percentage needs a purchase"
                raise AmountError(message)
            base = purchase.amount
            if definition.amount.percent_of is PercentOf.PURCHASE_SUBTOTAL:
                base = goods(base, purchase.subtotal, has_lines=purchase.has_lines)
            rate = _rate(Pair(base=purchase.currency, quote=peg_currency), facts.rates, rates)
            return percentage(definition.amount, base=base, rate=rate, unit=unit)


def _rate(
    pair: Pair, known: Mapping[Pair, ExchangeRate], used: dict[str, dict[str, str]]
) -> Decimal:
    """Units of the quote for one of the base; notes what was used."""
    if pair.base == pair.quote:
        return Decimal(1)
    rate = known.get(pair)
    if rate is None:
        raise RateMissingError(pair)
    used[str(pair)] = rate.to_document()
    return rate.rate


def _charge(
    campaign: Campaign, event_time: datetime, grants: Sequence[Grant], state: BudgetState
) -> tuple[list[Charge], Refused | None]:
    """What the grants take from every item of their units, or the first window without room."""
    wanted: dict[str, int] = {}
    for grant in grants:
        wanted[grant.unit.key] = wanted.get(grant.unit.key, 0) + grant.base_units
    charges = []
    for item in campaign.budget:
        base_units = wanted.get(item.unit.key, 0)
        if not base_units:
            continue
        start, _ = item.window_at(event_time, origin=begin_of(campaign))
        key = WindowKey(item.budget_item_id, start)
        used = state.used_of(key)
        if used + base_units > item.limit:
            return [], Refused(
                key=key,
                label=item.label,
                base_units=base_units,
                used=used,
                limit=item.limit,
            )
        charges.append(Charge(key=key, unit_key=item.unit.key, base_units=base_units))
    return charges, None


def _grant_document(grant: Grant) -> dict[str, object]:
    return {
        "reward": grant.definition_index,
        "depth": grant.depth,
        "role": grant.role.value,
        "identity_group_id": str(grant.recipient),
        "unit": grant.unit.key,
        "base_units": str(grant.base_units),
    }

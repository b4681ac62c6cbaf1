"""What the rewards of a rule come to, before any budget is asked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from domains.campaign.model.amount import AmountError, fixed, goods, percentage, split
from domains.campaign.model.campaign import Campaign
from domains.campaign.model.deciding.decision import Grant
from domains.campaign.model.deciding.facts import EventFacts
from domains.campaign.model.rate import ExchangeRate, Pair
from domains.campaign.model.rule import (
    FixedAmount,
    PercentageAmount,
    PercentOf,
    Recipient,
    RewardDefinition,
)
from vocabulary.amounts import Unit
from vocabulary.ids import IdentityGroupId


class RateMissingError(Exception):
    """An amount cannot be converted yet. The event waits; nothing is guessed."""

    def __init__(self, pair: Pair) -> None:
        super().__init__(str(pair))
        self.pair = pair


@dataclass(slots=True)
class Computed:
    """The grants, what kept others from being made, and the rates that were used."""

    grants: list[Grant] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    rates: dict[str, dict[str, str]] = field(default_factory=dict)


def compute(campaign: Campaign, facts: EventFacts) -> Computed:
    """What every reward of the campaign's rule comes to.

    Raises:
        RateMissingError: an amount needs a rate that is unknown.
    """
    computed = Computed()
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

"""What one campaign makes of one event."""

from __future__ import annotations

from dataclasses import replace

from domains.campaign.model.budget import BudgetState
from domains.campaign.model.campaign import Campaign
from domains.campaign.model.condition import first_failure
from domains.campaign.model.deciding.activity import why_inactive
from domains.campaign.model.deciding.charging import charge
from domains.campaign.model.deciding.decision import Decision, Grant, Outcome
from domains.campaign.model.deciding.facts import EventFacts
from domains.campaign.model.deciding.granting import compute


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

    computed = compute(campaign, facts)
    details: dict[str, object] = {}
    if computed.errors:
        details["errors"] = computed.errors
    if computed.rates:
        details["rates"] = computed.rates
    if not computed.grants:
        return ended(Outcome.NOTHING_TO_PAY, **details), state

    charges, refused = charge(campaign, facts.event_time, computed.grants, state)
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


def _grant_document(grant: Grant) -> dict[str, object]:
    return {
        "reward": grant.definition_index,
        "depth": grant.depth,
        "role": grant.role.value,
        "identity_group_id": str(grant.recipient),
        "unit": grant.unit.key,
        "base_units": str(grant.base_units),
    }

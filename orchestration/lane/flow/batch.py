"""Decides a batch of events in memory: pure, from what was loaded to what is written."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from domains.campaign.model import (
    BudgetState,
    Campaign,
    Charge,
    Decision,
    Pair,
    RateMissingError,
    Refused,
    WindowKey,
    decide,
)
from domains.campaign.model.deciding import begin_of, why_inactive
from domains.campaign.service import Consumption
from domains.rewards.model import (
    Account,
    AccountKind,
    DecisionRecord,
    Outcome,
    Posting,
    Reward,
    RewardState,
    Role,
)
from domains.rewards.model.ledger import granting
from domains.rewards.service import DecidedBatch
from orchestration.lane.flow.event_facts import LoadedEvent
from vocabulary.amounts import Unit
from vocabulary.ids import InteractionId, RewardId, TransferId


@dataclass(slots=True)
class BatchResult:
    """What a batch of events comes to."""

    facts: list[tuple[InteractionId, dict[str, object]]] = field(default_factory=list)
    decisions: list[DecisionRecord] = field(default_factory=list)
    rewards: list[Reward] = field(default_factory=list)
    postings: list[Posting] = field(default_factory=list)
    charges: list[Charge] = field(default_factory=list)
    refusals: list[Refused] = field(default_factory=list)
    consumptions: list[Consumption] = field(default_factory=list)
    units: set[Unit] = field(default_factory=set)
    waiting: list[tuple[LoadedEvent, Pair]] = field(default_factory=list)

    @property
    def decided(self) -> DecidedBatch:
        return DecidedBatch(
            facts=self.facts,
            decisions=self.decisions,
            rewards=self.rewards,
            postings=self.postings,
        )


def windows_of(
    campaigns: Sequence[Campaign], events: Sequence[LoadedEvent]
) -> dict[WindowKey, datetime]:
    """Every budget window that the events could be charged to, with its end."""
    windows: dict[WindowKey, datetime] = {}
    for newest in campaigns:
        for event in events:
            campaign = newest.as_of(event.facts.event_time)
            if campaign.rule.trigger not in event.facts.triggers:
                continue
            if why_inactive(campaign, event.facts.event_time) is not None:
                continue
            for item in campaign.budget:
                start, end = item.window_at(event.facts.event_time, origin=begin_of(campaign))
                windows[WindowKey(item.budget_item_id, start)] = end
    return windows


def decide_batch(
    campaigns: Sequence[Campaign],
    events: Sequence[LoadedEvent],
    state: BudgetState,
    *,
    first_sequence: int,
    now: datetime,
    new_id: Callable[[], UUID],
) -> BatchResult:
    """Holds every event against every campaign that its triggers concern, in order.

    An event that lacks a rate waits as a whole: none of its campaigns has decided.
    """
    result = BatchResult()
    sequence = first_sequence
    for event in events:
        decisions: list[Decision] = []
        after = state
        try:
            for newest in campaigns:
                campaign = newest.as_of(event.facts.event_time)
                if campaign.rule.trigger in event.facts.triggers:
                    decision, after = decide(campaign, event.facts, after)
                    decisions.append(decision)
        except RateMissingError as missing:
            result.waiting.append((event, missing.pair))
            continue
        state = after
        for decision in decisions:
            _record(result, event, decision, sequence, now, new_id)
            sequence += 1
        result.facts.append((event.interaction.interaction_id, event.to_document()))
    return result


def _record(
    result: BatchResult,
    event: LoadedEvent,
    decision: Decision,
    sequence: int,
    now: datetime,
    new_id: Callable[[], UUID],
) -> None:
    interaction, purchase = event.interaction, event.event.purchase
    result.decisions.append(
        DecisionRecord(
            interaction_id=interaction.interaction_id,
            merchant_id=interaction.merchant_id,
            campaign_id=decision.campaign_id,
            rule_version=decision.rule_version,
            sequence=sequence,
            outcome=Outcome(decision.outcome.value),
            details=decision.details,
            decide_time=now,
        )
    )
    if decision.refused is not None:
        result.refusals.append(decision.refused)
    result.charges.extend(decision.charges)
    rewards = [
        Reward(
            reward_id=RewardId(new_id()),
            merchant_id=interaction.merchant_id,
            interaction_id=interaction.interaction_id,
            campaign_id=decision.campaign_id,
            definition_index=grant.definition_index,
            depth=grant.depth,
            identity_group_id=grant.recipient,
            role=Role(grant.role.value),
            purchase_id=None if purchase is None else purchase.purchase_id,
            unit=grant.unit,
            granted=grant.base_units,
            target=grant.base_units,
            state=RewardState.PENDING,
            cancellation_reason=None,
            description=grant.description,
            event_time=event.event.event_time,
            create_time=now,
        )
        for grant in decision.grants
    ]
    result.rewards.extend(rewards)
    for reward in rewards:
        result.units.add(reward.unit)
        result.postings.append(_posting(reward, new_id))
    result.consumptions.extend(_consumptions(decision, rewards))


def _posting(reward: Reward, new_id: Callable[[], UUID]) -> Posting:
    return granting(
        transfer_id=TransferId(new_id()),
        reward_id=reward.reward_id,
        campaign=Account(
            merchant_id=reward.merchant_id,
            kind=AccountKind.CAMPAIGN_GRANTED,
            owner=reward.campaign_id,
            unit=reward.unit,
        ),
        person=Account(
            merchant_id=reward.merchant_id,
            kind=AccountKind.RECIPIENT_PENDING,
            owner=reward.identity_group_id,
            unit=reward.unit,
        ),
        base_units=reward.granted,
    )


def _consumptions(decision: Decision, rewards: Sequence[Reward]) -> list[Consumption]:
    """Each reward's part of each charge: rewards of a unit are charged to its items alike."""
    return [
        Consumption(reward_id=reward.reward_id, key=charge.key, base_units=reward.granted)
        for charge in decision.charges
        for reward in rewards
        if reward.unit.key == charge.unit_key
    ]

"""Budgets, held against what rewards took from them, decision by decision."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any
from uuid import UUID

from tests.simulation.tables import Tables

Key = tuple[UUID, Any]


def budget_breaches(tables: Tables, merchant_id: UUID) -> Iterator[tuple[str | None, str]]:
    """What budgets gave and refused otherwise than the decisions and reversals in their order."""
    windows = tables.of("windows", merchant_id)
    used: dict[Key, int] = defaultdict(int)
    rewards: dict[UUID, list[Any]] = defaultdict(list)
    for reward in tables.of("rewards", merchant_id):
        rewards[reward.interaction_id].append(reward)
    lives = {
        (each.order_reference, each.generation): each.interaction_id
        for each in tables.of("interactions", merchant_id)
        if each.kind == "purchase"
    }
    taken_back: set[UUID] = set()
    events = [*tables.of("decisions", merchant_id), *tables.of("reversals", merchant_id)]
    for each in sorted(events, key=lambda event: event.sequence or 0):
        if hasattr(each, "outcome"):
            yield from _decided(each, windows, rewards[each.interaction_id], used)
            continue
        interaction_id = lives.get((each.order_reference, each.generation))
        if interaction_id is None or interaction_id in taken_back or each.drain_time is None:
            continue
        taken_back.add(interaction_id)
        for reward in rewards[interaction_id]:
            for window in _windows_of(windows, reward):
                used[_key(window)] -= int(reward.granted_base_units)
    for window in windows:
        if int(window.used_base_units) != used[_key(window)]:
            name = f"{window.label} from {window.start_time}"
            took = used[_key(window)]
            yield None, f"{name}: used {window.used_base_units}, rewards took {took}"


def _decided(
    decision: Any, windows: Any, rewards: list[Any], used: dict[Key, int]
) -> Iterator[tuple[str | None, str]]:
    for reward in rewards:
        if reward.campaign_id == decision.campaign_id:
            for window in _windows_of(windows, reward):
                used[_key(window)] += int(reward.granted_base_units)
    refused = decision.details.get("refused")
    if refused is None:
        return
    for window in windows:
        is_it = (
            window.campaign_id == decision.campaign_id
            and window.label == refused["label"]
            and window.start_time <= decision.event_time < window.end_time
        )
        if is_it and used[_key(window)] != int(refused["used"]):
            name, took = decision.event_reference, used[_key(window)]
            what = f"{name} was refused with {refused['used']} used of {window.label}"
            yield decision.order_reference, f"{what}; rewards had taken {took}"


def _windows_of(windows: Any, reward: Any) -> Iterator[Any]:
    """The windows that a reward is charged to: those of its unit that its event lies in."""
    for window in windows:
        if (
            window.campaign_id == reward.campaign_id
            and window.unit == reward.unit
            and window.start_time <= reward.event_time < window.end_time
        ):
            yield window


def _key(window: Any) -> Key:
    return window.budget_item_id, window.start_time

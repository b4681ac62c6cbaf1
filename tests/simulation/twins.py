"""A merchant held against its twins, at which the same came in another order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from tests.simulation.expected import People, Walked
from tests.simulation.history import Report
from tests.simulation.playing import Scene
from tests.simulation.tables import Tables

Rewards = Mapping[str, Counter[tuple[object, ...]]]
Breaches = Iterator[tuple[UUID, str | None, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Compared:
    """A merchant or a twin: its orders as they went, and what they earned."""

    merchant_id: UUID
    walks: Mapping[str, Walked]
    rewards: Rewards


def twin_breaches(scene: Scene, tables: Tables, walks: Sequence[Mapping[str, Walked]]) -> Breaches:
    """Orders with other buyers or rewards than at a twin, and twins that decide out of order.

    `walks` are those of the merchant and of its twins.
    """
    compared = [
        _Compared(
            merchant_id=shop.merchant_id,
            walks=each,
            rewards=_rewards(
                tables.of("rewards", shop.merchant_id),
                tables.people_of(shop.merchant_id, scene.plan),
            ),
        )
        for shop, each in zip((scene.shop, *scene.twins), walks, strict=True)
    ]
    own, first, *others = compared
    for twin in (first, *others):
        for order, what in _out_of_order(tables.of("decisions", twin.merchant_id)):
            yield twin.merchant_id, order, what
    has_forgotten = any(
        walked.expected.is_forgetful for each in compared for walked in each.walks.values()
    )
    # An order that claims of were forgotten of may leave more of a budget to others.
    has_limits, dated = scene.plan.has_limits, _dated(scene)
    for other in others:
        has_same = not (has_limits and has_forgotten)
        yield from _differences(other, first, same_rewards=dated if has_same else frozenset())
    is_comparable = not (scene.plan.has_changing_campaigns or has_limits)
    whole = {order: walked for order, walked in own.walks.items() if walked.is_whole}
    yield from _differences(
        replace(own, walks=whole), first, same_rewards=dated if is_comparable else frozenset()
    )


def _differences(one: _Compared, other: _Compared, *, same_rewards: frozenset[str]) -> Breaches:
    """Orders of one merchant with other buyers or, of some, other rewards than at the other."""
    for order in one.walks.keys() & other.walks.keys():
        found, wanted = one.walks[order].expected, other.walks[order].expected
        if found.is_forgetful or wanted.is_forgetful:
            continue
        if found.buyer != wanted.buyer:
            what = f"the buyer is {found.buyer}, at a twin {wanted.buyer}"
            yield one.merchant_id, order, what
        if order in same_rewards and one.rewards.get(order) != other.rewards.get(order):
            earned, at_twin = one.rewards.get(order), other.rewards.get(order)
            yield one.merchant_id, order, f"earns {earned}, at a twin {at_twin}"


def _rewards(rows: Sequence[Any], people: People) -> Rewards:
    """What is pending of each order, with people by their names."""
    found: dict[str, Counter[tuple[object, ...]]] = {}
    for row in rows:
        if row.state == "pending" and row.order_reference is not None:
            earned = (
                row.campaign,
                row.definition_index,
                row.depth,
                people.named(row.identity_group_id),
                int(row.target_base_units),
                row.event_time,
            )
            found.setdefault(row.order_reference, Counter())[earned] += 1
    return found


def _dated(scene: Scene) -> frozenset[str]:
    """Orders whose time some report said. Any other one was dated by each merchant for itself."""
    dated = {
        each.order
        for each in (*scene.plan.firsts, *scene.plan.evidence)
        if isinstance(each, Report) and each.ordered is not None
    }
    return frozenset(dated)


def _out_of_order(decisions: Sequence[Any]) -> Iterator[tuple[str | None, str]]:
    """A twin's orders were due at once, so they were decided in the order of the lane."""
    before: Any = None
    for each in decisions:
        if each.kind == "referral":
            continue
        key = each.event_time, each.order_reference
        if before is not None and key < before:
            yield each.order_reference, f"{each.event_reference} was decided after {before}"
        before = key

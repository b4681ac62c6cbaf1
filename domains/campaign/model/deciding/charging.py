"""What grants take from budgets."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from domains.campaign.model.budget import BudgetState, Charge, Refused, WindowKey
from domains.campaign.model.campaign import Campaign
from domains.campaign.model.deciding.activity import begin_of
from domains.campaign.model.deciding.decision import Grant


def charge(
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

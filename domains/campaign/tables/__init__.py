"""The tables of campaigns, their rules and budgets, and of exchange rates."""

from __future__ import annotations

from domains.campaign.tables.budgets import budget_entry, budget_item, budget_window
from domains.campaign.tables.campaigns import campaign, campaign_rule_version
from domains.campaign.tables.rates import exchange_rate

__all__ = [
    "budget_entry",
    "budget_item",
    "budget_window",
    "campaign",
    "campaign_rule_version",
    "exchange_rate",
]

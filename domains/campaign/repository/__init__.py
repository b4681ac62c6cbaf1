"""Campaigns and budgets in SQL."""

from __future__ import annotations

from domains.campaign.repository.budgets import BudgetRepository, Consumption
from domains.campaign.repository.campaigns import CampaignRepository

__all__ = ["BudgetRepository", "CampaignRepository", "Consumption"]

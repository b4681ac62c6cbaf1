"""Campaigns, budgets and exchange rates in SQL."""

from __future__ import annotations

from domains.campaign.repository.budgets import BudgetRepository, Consumption
from domains.campaign.repository.campaigns import CampaignRepository
from domains.campaign.repository.rates import RateRepository

__all__ = ["BudgetRepository", "CampaignRepository", "Consumption", "RateRepository"]

"""The use cases of campaigns, and those of exchange rates."""

from __future__ import annotations

from domains.campaign.service.campaigns import CampaignService, Change, Consumption
from domains.campaign.service.rates import RatesService

__all__ = ["CampaignService", "Change", "Consumption", "RatesService"]

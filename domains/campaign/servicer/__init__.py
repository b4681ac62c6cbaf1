"""CampaignService and RateService, translated."""

from __future__ import annotations

from domains.campaign.servicer.campaigns import CampaignServicer
from domains.campaign.servicer.rates import RateServicer

__all__ = ["CampaignServicer", "RateServicer"]

"""CampaignService, translated."""

from __future__ import annotations

from domains.campaign.servicer.campaigns import CampaignServicer

__all__ = ["CampaignServicer"]

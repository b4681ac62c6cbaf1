"""When a campaign pays."""

from __future__ import annotations

from datetime import datetime

from domains.campaign.model.campaign import Campaign, CampaignState


def why_inactive(campaign: Campaign, event_time: datetime) -> str | None:
    """Why the campaign pays nothing for what happened then; None if it may pay."""
    if campaign.state is not CampaignState.ACTIVE:
        return str(campaign.state)
    if event_time < begin_of(campaign):
        return "before its start"
    if campaign.expire_time is not None and event_time >= campaign.expire_time:
        return "expired"
    return None


def begin_of(campaign: Campaign) -> datetime:
    """From when what happens earns: the campaign's start, else its publishing."""
    begin = campaign.start_time or campaign.publish_time
    assert begin is not None, "only published campaigns are asked"
    return begin

"""A refusal blames fields that its caller sent, by the names that the caller knows."""

from __future__ import annotations

from domains.campaign.errors import BudgetMissingError
from server.interception.refusals import refusal_of
from tests.support.contract import METHODS

CAMPAIGNS = "/guerdon.campaign.v1.CampaignService"


def test_a_field_of_what_is_stored_is_not_blamed_on_a_call_that_does_not_send_it() -> None:
    """Whoever publishes would look for a key that the request does not have."""
    missing = BudgetMissingError("TOKEN")

    publishing = refusal_of(missing, METHODS[f"{CAMPAIGNS}/PublishCampaign"])
    creating = refusal_of(missing, METHODS[f"{CAMPAIGNS}/CreateCampaign"])

    assert publishing.violations == []
    assert [each.path for each in creating.violations] == ["campaign.budget"]
    assert publishing.message == creating.message

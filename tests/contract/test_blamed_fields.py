"""A refusal names fields as its caller knows them, of what is stored as well."""

from __future__ import annotations

from google.rpc import error_details_pb2

from domains.campaign.errors import BudgetMissingError
from server.interception.refusals import refusal_of, to_status
from tests.support.contract import METHODS

CAMPAIGNS = "/guerdon.campaign.v1.CampaignService"


def blamed(method: str, *, as_json: bool) -> list[str]:
    """The fields that a refusal of a rule names."""
    called = METHODS[f"{CAMPAIGNS}/{method}"]
    status = to_status(refusal_of(BudgetMissingError("TOKEN"), called), called, as_json=as_json)
    found = error_details_pb2.BadRequest()
    assert any(detail.Unpack(found) for detail in status.details)
    return [each.field for each in found.field_violations]


def test_a_field_of_what_is_stored_is_named_as_in_the_answer() -> None:
    """Whoever publishes a draft would look for a key that JSON does not have."""
    for method in ("CreateCampaign", "PublishCampaign"):
        assert blamed(method, as_json=True) == ["campaign.budgetConfig"]
        assert blamed(method, as_json=False) == ["campaign.budget"]

"""Names in refusals are those that the caller writes."""

from __future__ import annotations

import pytest

from guerdon.campaign.v1 import campaign_pb2
from guerdon.orchestration.v1 import purchase_webhook_pb2
from server.interception.field_paths import json_path, known_path, with_json_names

CREATE = campaign_pb2.CreateCampaignRequest.DESCRIPTOR
VALUE_TO = "campaign.rule.conditions.conditions[1].condition.value_to"


@pytest.mark.parametrize(
    ("path", "written"),
    [
        ("merchant_id", "merchantId"),
        (VALUE_TO, "campaign.rule.conditions.conditions[1].condition.valueTo"),
        (
            "campaign.budget.items[0].window_duration",
            "campaign.budgetConfig.items[0].windowDuration",
        ),
        ("x-client-id", "x-client-id"),
        ("items[3].some_key", "items[3].some_key"),
    ],
)
def test_a_path_is_written_as_json_has_it(path: str, written: str) -> None:
    """A caller would look for a key that it did not send."""
    assert json_path(CREATE, path) == written


@pytest.mark.parametrize(
    ("text", "paths", "written"),
    [
        (f"{VALUE_TO} is wrong.", [VALUE_TO], f"{json_path(CREATE, VALUE_TO)} is wrong."),
        # A shorter path is no part of a longer one.
        ("request_id, my_request_id", ["request_id"], "requestId, my_request_id"),
        ("merchant_id.request_id", ["request_id"], "merchant_id.request_id"),
        # What stands beside, and what is inside.
        ("goes with validate_only", ["request_id"], "goes with validateOnly"),
        ("needs start_time", ["campaign"], "needs startsAt"),
        # What the caller wrote.
        ('is "request_id": no', ["request_id"], 'is "request_id": no'),
        ("is 'request_id': no", ["request_id"], "is 'request_id': no"),
        ("purchase.order_id is no field", ["request_id"], "purchase.order_id is no field"),
        # A word is just a word.
        ("the budget is large", ["campaign.name"], "the budget is large"),
    ],
)
def test_names_in_a_sentence_are_those_of_json(text: str, paths: list[str], written: str) -> None:
    """A sentence would speak of keys that its reader does not know."""
    campaign = CREATE.fields_by_name["campaign"].message_type
    assert campaign is not None
    start = campaign.fields_by_name["start_time"].json_name
    assert with_json_names(text, CREATE, paths) == written.replace("startsAt", start)


def test_a_sentence_about_the_whole_speaks_of_its_fields() -> None:
    """The same, where no field is to blame."""
    webhook = purchase_webhook_pb2.ReceiveCustomOrderRequest.DESCRIPTOR
    told = with_json_names("needs exactly one of merchant_id, product_id", webhook, [""])
    assert told == "needs exactly one of merchantId, productId"


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("merchant_id", "merchant_id"),
        (
            "campaign.budgetConfig.items[0].window_duration",
            "campaign.budget.items[0].window_duration",
        ),
        ("campaign.token-of-a-caller", "campaign.…"),
        ('campaign["token-of-a-caller"].name', "campaign.…"),
        ("token-of-a-caller", "…"),
        ("merchant_id.token-of-a-caller", "merchant_id.…"),
    ],
)
def test_a_log_has_of_a_path_what_the_contract_knows(path: str, told: str) -> None:
    """A key may be anything, a secret that a caller wrote into the wrong place as well."""
    assert known_path(CREATE, path) == told

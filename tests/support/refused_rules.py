"""How a rule is refused."""

from __future__ import annotations

from decimal import Decimal

import pytest
from google.protobuf import struct_pb2
from google.protobuf.descriptor import Descriptor, FieldDescriptor

from domains.campaign.errors import RuleInvalidError
from domains.campaign.model import Operator, Rule
from domains.campaign.model.checking import check_rule
from guerdon.campaign.v1 import campaign_pb2
from tests.support.campaign import UNITS, asks

AMOUNT = "purchase.amount"
ORDER = "purchase.orderId"
UTM = "attribution.utmSource"
CHECKSUMMED = "0x1f9840a85d5aF5bf1D1762F925BDADdC4201F984"
MISSPELLED = "0x1F9840a85d5aF5bf1D1762F925BDADdC4201F984"
UPPER_ID = "0190163D-8694-739B-AEA5-966C26F8AD91"
BUDGET = "campaign.budget.items"
NAN, INFINITY = Decimal("NaN"), Decimal("Infinity")
SOMETIMES = asks(UTM, Operator.EXISTS)


def names_a_field(path: str) -> bool:
    """Whether a path leads through a campaign's message to a field of it."""
    message: Descriptor | None = campaign_pb2.CreateCampaignRequest.DESCRIPTOR
    for part in path.split("."):
        name, bracket, _ = part.partition("[")
        field: FieldDescriptor | None = message.fields_by_name.get(name) if message else None
        # A value may be a list of its own kind.
        is_value = field is not None and field.message_type is struct_pb2.Value.DESCRIPTOR
        if field is None or (field.is_repeated != bool(bracket) and not is_value):
            return False
        message = field.message_type
    return True


def refused(rule: Rule) -> RuleInvalidError:
    with pytest.raises(RuleInvalidError) as raised:
        check_rule(rule, UNITS)
    assert names_a_field(raised.value.path), "whoever sent it could not find it"
    return raised.value

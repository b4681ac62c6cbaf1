"""All that is wrong with a request is named at once, as its caller writes it."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import grpc
import pytest
from google.protobuf.descriptor import FieldDescriptor
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from guerdon.business.v1 import business_pb2
from guerdon.campaign.v1 import campaign_pb2, rate_pb2, rule_pb2
from guerdon.identity.v1 import identity_pb2
from guerdon.orchestration.v1 import purchase_linking_pb2, purchase_webhook_pb2
from infrastructure.rpc.contract import Method
from server.interception.refusals import MESSAGE_BYTES_MAX, MORE_IS_WRONG, VIOLATIONS_MAX
from tests.support.contract import METHODS, is_required, method_ids
from tests.support.mesh import SERVICE, Mesh, proof_for
from tests.support.messages import Leaf, a_full_request, leaves, rules_of
from tests.support.refusals import Told, refusal_by, told_by
from tests.support.rpc_shop import a_campaign, a_merchant, open_shop

CREATE_CAMPAIGN = METHODS["/guerdon.campaign.v1.CampaignService/CreateCampaign"]
CREATE_MERCHANT = METHODS["/guerdon.business.v1.BusinessService/CreateMerchant"]
CLAIM = METHODS["/guerdon.orchestration.v1.PurchaseLinkingService/ClaimPurchase"]
SET_RATE = METHODS["/guerdon.campaign.v1.RateService/SetRate"]
RESOLVE = METHODS["/guerdon.identity.v1.IdentityService/ResolveIdentityGroup"]
WEBHOOK = METHODS["/guerdon.orchestration.v1.PurchaseWebhookService/ReceiveCustomOrder"]
AS_JSON = ("x-envoy-original-path", "/from/envoy")


async def told_in_json(mesh: Mesh, method: Method, request: Any) -> tuple[Told, dict[str, str]]:
    """How a caller of JSON is refused, and what is wrong with each field."""
    return await told_as(mesh, method, request, AS_JSON)


async def told_as(
    mesh: Mesh, method: Method, request: Any, *more: tuple[str, str]
) -> tuple[Told, dict[str, str]]:
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await mesh.call(method, request, proof=(*proof_for(method), *more))
    status: Any = rpc_status.from_call(raised.value)  # type: ignore[arg-type]  # either kind
    blamed = error_details_pb2.BadRequest()
    for detail in status.details:
        detail.Unpack(blamed)
    return told_by(raised.value), {each.field: each.description for each in blamed.field_violations}


def broken(leaf: Leaf, request: Any) -> bool:
    """Breaks the field in a way of its type. False if there is none that this test knows."""
    owner, field = leaf.owner(request), leaf.field
    if field.is_repeated:
        return False
    if is_required(field) and field.message_type is None:
        owner.ClearField(field.name)
    elif field.enum_type is not None:
        setattr(owner, field.name, 4711)
    elif field.type == FieldDescriptor.TYPE_STRING:
        setattr(owner, field.name, "no UUID" if rules_of(field).string.uuid else "a\0b")
    elif field.message_type is not None and field.message_type.name == "Timestamp":
        getattr(owner, field.name).nanos = -1
    else:
        return False
    return True


@pytest.mark.parametrize("method", METHODS.values(), ids=method_ids)
async def test_every_field_that_is_wrong_is_named(method: Method, mesh: Mesh) -> None:
    """A caller would mend one field, and be told of the next one."""
    request = a_full_request(method)
    expected = {leaf.path for leaf in leaves(a_full_request(method)) if broken(leaf, request)}
    if not expected:
        return  # It has no fields, or a body that is read by others.
    told = await refusal_by(mesh.call(method, request))
    assert (told.domain, told.reason) == ("mesh.guerdon", "REQUEST_INVALID")
    if len(expected) <= VIOLATIONS_MAX:
        assert set(told.fields) == expected
    else:
        assert set(told.fields) < expected
        assert MORE_IS_WRONG in told.message
    assert told.message.startswith(f"{told.fields[0]} ")
    assert len(told.message.encode()) <= MESSAGE_BYTES_MAX


async def test_many_faults_are_told_up_to_a_number(mesh: Mesh) -> None:
    """An answer would be lost that is too large, or somebody think that ten is all."""
    request = campaign_pb2.CreateCampaignRequest(campaign=a_campaign())
    for _ in range(VIOLATIONS_MAX + 1):
        request.campaign.rule.rewards.add()
    told = await refusal_by(mesh.call(CREATE_CAMPAIGN, request))
    assert len(told.fields) <= VIOLATIONS_MAX
    assert told.message.endswith(MORE_IS_WRONG)


async def test_a_missing_field_and_a_broken_rule_are_told_together(mesh: Mesh) -> None:
    """Rules were asked only once nothing was missing."""
    request = business_pb2.CreateMerchantRequest(merchant=a_merchant())
    request.merchant.name = ""
    request.merchant.reward_token.decimals = 99
    request.request_id = "no UUID"
    told, descriptions = await told_as(mesh, CREATE_MERCHANT, request)
    assert set(told.fields) == {
        "merchant.name",
        "merchant.reward_token.decimals",
        "request_id",
    }
    assert descriptions["request_id"].startswith("must be a UUID")
    for path, description in descriptions.items():
        assert f"{path} {description}." in told.message

    told, descriptions = await told_in_json(mesh, CREATE_MERCHANT, request)
    assert set(told.fields) == {"merchant.name", "merchant.rewardToken.decimals", "requestId"}
    for path, description in descriptions.items():
        assert f"{path} {description}." in told.message


async def test_an_enum_says_what_it_can_be(mesh: Mesh) -> None:
    """A caller would have to look it up."""
    request = identity_pb2.ResolveIdentityGroupRequest(kind=4711, value="x")  # type: ignore[arg-type]
    _, descriptions = await told_as(mesh, RESOLVE, request)
    assert descriptions["kind"] == "is 4711; it is one of KIND_CLIENT, KIND_CUSTOMER, KIND_WALLET"
    request.ClearField("kind")
    _, descriptions = await told_as(mesh, RESOLVE, request)
    assert descriptions["kind"] == "is required: one of KIND_CLIENT, KIND_CUSTOMER, KIND_WALLET"


async def test_a_choice_names_keys_that_exist(mesh: Mesh) -> None:
    """A caller would send the name of the choice, which is no key."""
    request = campaign_pb2.CreateCampaignRequest(campaign=a_campaign())
    request.merchant_id = "0198c0de-0000-7000-8000-000000000001"
    reward = request.campaign.rule.rewards[0]
    reward.ClearField("fixed")
    reward.ClearField("percentage")
    request.campaign.rule.conditions.conditions.add()
    _, descriptions = await told_in_json(mesh, CREATE_CAMPAIGN, request)
    index = len(request.campaign.rule.conditions.conditions) - 1
    assert descriptions == {
        "campaign.rule.rewards[0]": "needs exactly one of fixed, percentage",
        f"campaign.rule.conditions.conditions[{index}]": "needs exactly one of condition, group",
    }


async def test_the_same_choice_of_a_request_is_told_in_either_spelling(mesh: Mesh) -> None:
    """A caller of JSON would look for a key that it cannot send."""
    neither = purchase_webhook_pb2.ReceiveCustomOrderRequest()
    neither.payload.data = b"{}"
    both = purchase_webhook_pb2.ReceiveCustomOrderRequest(
        merchant_id="0198c0de-0000-7000-8000-000000000001", product_id="0x" + "5e" * 32
    )
    both.payload.data = b"{}"
    for request, said in ((neither, "needs exactly"), (both, "must not have more than")):
        told, _ = await told_as(mesh, WEBHOOK, request)
        assert told.message == f"The request {said} one of merchant_id, product_id."
        told, _ = await told_in_json(mesh, WEBHOOK, request)
        assert told.message == f"The request {said} one of merchantId, productId."


# -- what a domain says ---------------------------------------------------------------------------


def a_bad_campaign() -> campaign_pb2.Campaign:
    campaign = a_campaign()
    campaign.start_time.seconds, campaign.expire_time.seconds = 2_000, 1_000
    reward = campaign.rule.rewards[0]
    reward.fixed.amount = "0"
    reward.recipient = rule_pb2.RECIPIENT_USER
    reward.chaining.level_percent = "200"
    conditions = campaign.rule.conditions.conditions
    del conditions[:]
    first = conditions.add().condition
    first.field, first.operator = "purchase.order_id", rule_pb2.OPERATOR_EXISTS
    second = conditions.add().condition
    second.field, second.operator = "purchase.amount", rule_pb2.OPERATOR_BETWEEN
    second.value.string_value = "5"
    third = conditions.add().condition
    third.field, third.operator = "purchase.amount", rule_pb2.OPERATOR_GT
    third.value.struct_value.fields["a"].bool_value = True
    item = campaign.budget.items.add(label="x", asset=1, amount="1.1234567890123456789")
    campaign.budget.items.add(label="x", asset=1, amount="1").calendar_month.time_zone = "Nowhere"
    assert item
    return campaign


async def test_all_that_a_campaign_could_never_do_is_told(mesh: Mesh) -> None:
    """A marketer would mend a campaign ten times."""
    shop = await open_shop(mesh)
    request = campaign_pb2.CreateCampaignRequest(
        merchant_id=shop.merchant_id, campaign=a_bad_campaign()
    )
    told, descriptions = await told_as(mesh, CREATE_CAMPAIGN, request)
    conditions = "campaign.rule.conditions.conditions"
    index = len(request.campaign.budget.items) - 2
    assert told.reason == "RULE_INVALID"
    assert set(told.fields) == {
        f"{conditions}[0].condition.field",
        f"{conditions}[1].condition.value_to",
        f"{conditions}[2].condition.value",
        "campaign.rule.rewards[0].fixed.amount",
        "campaign.rule.rewards[0].chaining",
        "campaign.rule.rewards[0].chaining.level_percent",
        f"campaign.budget.items[{index}].amount",
        f"campaign.budget.items[{index + 1}].label",
        f"campaign.budget.items[{index + 1}].calendar_month.time_zone",
        "campaign.expire_time",
    }
    assert told.metadata == {"path": told.fields[0]}
    assert told.message.startswith(f"The campaign is not saved: {told.fields[0]} ")

    told, descriptions = await told_in_json(mesh, CREATE_CAMPAIGN, request)
    assert f"{conditions}[1].condition.valueTo" in told.fields
    assert f"campaign.budgetConfig.items[{index}].amount" in told.fields
    assert told.message.endswith(MORE_IS_WRONG), "the message has room for some of them"
    assert len(told.message.encode()) <= MESSAGE_BYTES_MAX
    # What the caller wrote stays as it is.
    assert descriptions[f"{conditions}[0].condition.field"].startswith("purchase.order_id is no")


async def test_both_wrong_words_of_a_merchant_are_told(mesh: Mesh) -> None:
    """Whoever mends the one would be refused for the other."""
    request = business_pb2.CreateMerchantRequest(merchant=a_merchant())
    request.merchant.domain = "no domain"
    address = "0x5AAEB6053F3E94C9b9A09f33669435E7Ef1BeAed"
    request.merchant.reward_token.token_address = address
    told = await refusal_by(mesh.call(CREATE_MERCHANT, request))
    assert told.reason == "DOMAIN_INVALID"
    assert told.fields == ("merchant.domain", "merchant.reward_token.token_address")
    assert address in told.message


async def test_both_wrong_ids_of_a_claim_are_told(mesh: Mesh) -> None:
    """Whoever mends the one would be refused for the other."""
    shop = await open_shop(mesh)
    request = purchase_linking_pb2.ClaimPurchaseRequest(merchant_id=shop.merchant_id, token="t")
    request.order_id.bool_value = True
    request.customer_id.number_value = 0.5
    told = await refusal_by(mesh.call(CLAIM, request))
    assert told.fields == ("customer_id", "order_id")


async def test_both_wrong_fields_of_a_rate_are_told_by_their_paths(mesh: Mesh) -> None:
    """Whoever mends the one would be refused for the other."""
    request = rate_pb2.SetRateRequest(
        exchange_rate=rate_pb2.ExchangeRate(base_currency="EUR", quote_currency="EUR", rate="1")
    )
    request.exchange_rate.observe_time.seconds = 4_000_000_000
    told = await refusal_by(mesh.call(SET_RATE, request, proof=SERVICE))
    assert told.fields == ("exchange_rate.quote_currency", "exchange_rate.observe_time")


async def test_a_domain_that_somebody_has_is_blamed(mesh: Mesh) -> None:
    """A form would not know beside which field to say it."""
    request = business_pb2.CreateMerchantRequest(merchant=a_merchant())
    await mesh.call(CREATE_MERCHANT, request)
    told, violations = await told_in_json(mesh, CREATE_MERCHANT, request)

    assert told.reason == "DOMAIN_TAKEN"
    assert violations == {"merchant.domain": "is another merchant's"}


async def test_a_rule_of_two_fields_names_the_one_to_blame(mesh: Mesh) -> None:
    """A form would have no place beside which to say it."""
    wallet = identity_pb2.IdentityNode.KIND_WALLET
    for kind, merchant_id in ((identity_pb2.IdentityNode.KIND_CLIENT, ""), (wallet, str(uuid4()))):
        request = identity_pb2.ResolveIdentityGroupRequest(
            kind=kind, value="0x" + "1" * 40, merchant_id=merchant_id
        )
        told = await refusal_by(mesh.call(RESOLVE, request))
        assert (told.reason, told.fields) == ("REQUEST_INVALID", ("merchant_id",))

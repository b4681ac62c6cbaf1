"""A name says what the field holds, so that nobody has to look it up."""

from __future__ import annotations

import pytest
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.descriptor_pb2 import FieldOptions

from infrastructure.rpc.contract import Method
from tests.support.contract import (
    METHODS,
    behaviours,
    fields,
    is_output,
    messages,
    method_ids,
)
from tests.support.messages import rules_of

INEXACT = {
    FieldDescriptor.TYPE_FLOAT,
    FieldDescriptor.TYPE_DOUBLE,
    FieldDescriptor.TYPE_UINT32,
    FieldDescriptor.TYPE_UINT64,
    FieldDescriptor.TYPE_FIXED32,
    FieldDescriptor.TYPE_FIXED64,
}
INEXACT_ALLOWED: set[str] = set()
"""Numbers that clients of old read as JSON numbers. None yet."""

IDS_OF_OTHERS = {
    # Made by a browser's script, or by a shop.
    "guerdon.orchestration.v1.ImportArrivalRequest.client_id",
    "guerdon.orchestration.v1.ImportClaimRequest.client_id",
    "guerdon.orchestration.v1.TrackArrivalRequest.referrer_client_id",
    # Whatever stands in a link that was copied.
    "guerdon.orchestration.v1.TrackArrivalRequest.referrer_share_id",
    # A UUID or a product id; shops know themselves by either.
    "guerdon.orchestration.v1.ReceiveCustomOrderRequest.merchant_id",
    # A hash.
    "guerdon.orchestration.v1.ReceiveCustomOrderRequest.product_id",
    # A number: EIP-155.
    "guerdon.type.v1.Token.chain_id",
    # Text or a number, as the shop's page has it.
    "guerdon.orchestration.v1.ClaimPurchaseRequest.customer_id",
    "guerdon.orchestration.v1.ClaimPurchaseRequest.order_id",
}
SENSITIVE = (
    *("token", "secret", "signing_key", "password", "payload"),
    *("email", "phone", "address_line", "client_id", "customer", "landing_url", "wallet_address"),
)
NOT_SENSITIVE = {
    # Of tokens on a chain, which are public.
    "guerdon.business.v1.Merchant.reward_token",
    "guerdon.type.v1.Token.token_address",
    # The last four characters.
    "guerdon.business.v1.Webhook.signing_key_suffix",
    "guerdon.business.v1.Webhook.previous_signing_key_suffix",
}
PAGE_TOKENS = {"page_token", "next_page_token"}

KEYS_OF_ORDERS = {
    # An order is read back under the keys that shops and their pages send it with.
    "guerdon.purchases.v1.Purchase.order_reference": "orderId",
    "guerdon.purchases.v1.Purchase.customer_reference": "customerId",
    "guerdon.purchases.v1.Purchase.state": "status",
    "guerdon.purchases.v1.Purchase.total": "totalPrice",
    "guerdon.purchases.v1.Purchase.order_time": "createdAt",
    "guerdon.purchases.v1.Purchase.event_time": "updatedAt",
    "guerdon.purchases.v1.PurchaseItem.product_reference": "productId",
    "guerdon.purchases.v1.PurchaseItem.image_url": "image",
    "guerdon.purchases.v1.ListPurchasesRequest.order_reference": "orderId",
    "guerdon.purchases.v1.ListPurchasesRequest.state": "status",
}
KEYS_OF_OLDER_CLIENTS = {
    "guerdon.orchestration.v1.TrackArrivalRequest.referrer_wallet_address": "referrerWallet",
    "guerdon.orchestration.v1.ClaimPurchaseResponse.reward_count": "rewardsCreated",
    "guerdon.business.v1.Merchant.create_time": "createdAt",
    "guerdon.business.v1.UpdateWebhookRequest.signing_key": "hookSignatureKey",
    "guerdon.campaign.v1.Campaign.campaign_id": "id",
    "guerdon.campaign.v1.Campaign.state": "status",
    "guerdon.campaign.v1.Campaign.budget": "budgetConfig",
    "guerdon.campaign.v1.Campaign.expire_time": "expiresAt",
    "guerdon.campaign.v1.Campaign.publish_time": "publishedAt",
    "guerdon.campaign.v1.Campaign.create_time": "createdAt",
    "guerdon.campaign.v1.Campaign.update_time": "updatedAt",
    "guerdon.campaign.v1.PercentageAmount.amount_max": "maxAmount",
    "guerdon.campaign.v1.PercentageAmount.amount_min": "minAmount",
    "guerdon.campaign.v1.Chaining.level_percent": "deperditionPerLevel",
    "guerdon.campaign.v1.Chaining.depth_max": "maxDepth",
}
OTHER_KEYS = KEYS_OF_ORDERS | KEYS_OF_OLDER_CLIENTS
"""Keys of JSON that are not the field's own name. The list is closed."""

every_field = pytest.mark.parametrize("field", fields(), ids=lambda field: field.full_name)
every_method = pytest.mark.parametrize("method", METHODS.values(), ids=method_ids)


def type_of(field: FieldDescriptor) -> str | None:
    return field.message_type.full_name if field.message_type is not None else None


@every_field
def test_a_field_has_the_type_its_name_promises(field: FieldDescriptor) -> None:
    """A caller would take seconds for an instant, or a share for a count."""
    assert field.name.endswith("_time") == (type_of(field) == "google.protobuf.Timestamp")
    assert field.name.endswith("_duration") == (type_of(field) == "google.protobuf.Duration")
    if field.name.endswith("_count"):
        assert field.type == FieldDescriptor.TYPE_INT32
    if field.name.endswith("percent") or field.name.endswith(("_url", "_address", "_token")):
        assert field.type in {FieldDescriptor.TYPE_STRING, FieldDescriptor.TYPE_MESSAGE}
        assert type_of(field) in {None, "guerdon.type.v1.Token"} or "percent" in field.name


@every_field
def test_a_key_of_json_is_the_fields_own_name(field: FieldDescriptor) -> None:
    """One thing would have two names, and who knows one would not find the other."""
    first, *others = field.name.split("_")
    own = first + "".join(part.capitalize() for part in others)
    assert field.json_name == OTHER_KEYS.get(field.full_name, own)


@every_field
def test_a_number_is_exact(field: FieldDescriptor) -> None:
    """Money would be rounded on its way, and unsigned numbers differ between languages."""
    assert field.type not in INEXACT or field.full_name in INEXACT_ALLOWED


@every_field
def test_an_id_is_a_uuid(field: FieldDescriptor) -> None:
    """A text that is no UUID would reach the code that reads it as one."""
    if not field.name.endswith(("_id", "_ids")) or is_output(field):
        return
    rules = rules_of(field)
    is_uuid = rules.repeated.items.string.uuid if field.is_repeated else rules.string.uuid
    assert is_uuid != (field.full_name in IDS_OF_OTHERS)


@every_field
def test_a_list_is_plural_and_a_truth_value_a_statement(field: FieldDescriptor) -> None:
    """Code that uses the field would read wrongly."""
    if field.is_repeated:
        assert field.name.endswith("s")
    assert not field.name.startswith(("is_", "has_"))


@every_field
def test_a_field_says_whether_it_is_sent(field: FieldDescriptor) -> None:
    """A caller could not tell what to send, nor the server what to ask for."""
    assert len(behaviours(field)) == 1


@every_field
def test_what_is_sensitive_is_marked(field: FieldDescriptor) -> None:
    """A secret would be printed where a message is."""
    options: FieldOptions = field.GetOptions()
    is_named_so = any(word in field.name for word in SENSITIVE)
    if is_named_so and field.name not in PAGE_TOKENS and field.full_name not in NOT_SENSITIVE:
        assert options.debug_redact


@every_field
def test_a_required_field_is_left_to_one_judge(field: FieldDescriptor) -> None:
    """Two judges of what is required would one day disagree."""
    assert not rules_of(field).required


@pytest.mark.parametrize("message", messages(), ids=lambda message: message.full_name)
def test_a_request_holds_nothing_that_is_only_answered(message: Descriptor) -> None:
    """A caller would be told that what it must send is never read."""
    outputs = {is_output(field) for field in message.fields}
    if message.name.endswith("Request"):
        assert outputs <= {False}
    if message.name.endswith("Response"):
        assert outputs <= {True}


@every_method
def test_a_method_has_messages_of_its_own(method: Method) -> None:
    """Neither could grow without the other method's."""
    name = method.descriptor.name
    assert method.request_type.name == f"{name}Request"
    assert method.descriptor.output_type.name == f"{name}Response"


@every_method
def test_a_list_is_paged(method: Method) -> None:
    """The list would outgrow an answer, and could not be paged later."""
    if not method.descriptor.name.startswith("List"):
        return
    asked = method.request_type.fields_by_name
    answered = method.descriptor.output_type.fields_by_name
    assert asked["page_size"].type == FieldDescriptor.TYPE_INT32
    assert rules_of(asked["page_size"]).int32.gte == 0
    assert rules_of(asked["page_size"]).int32.HasField("gte")
    assert asked["page_token"].type == FieldDescriptor.TYPE_STRING
    assert answered["next_page_token"].type == FieldDescriptor.TYPE_STRING
    assert [field for field in answered.values() if field.is_repeated]


def test_the_closed_lists_name_only_what_is_there() -> None:
    """An exception would outlive its reason and cover something new."""
    known = {field.full_name for field in fields()}
    assert known >= IDS_OF_OTHERS | NOT_SENSITIVE | INEXACT_ALLOWED | set(OTHER_KEYS)

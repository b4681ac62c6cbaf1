"""A name says what the field holds, so that nobody has to look it up."""

from __future__ import annotations

from collections.abc import Callable

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.descriptor_pb2 import FieldOptions

from infrastructure.rpc.contract import Method
from tests.support.contract import (
    METHODS,
    behaviours,
    fields,
    is_output,
    messages,
)
from tests.support.lints import assert_none
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


def type_of(field: FieldDescriptor) -> str | None:
    return field.message_type.full_name if field.message_type is not None else None


def assert_of_every_field(holds: Callable[[FieldDescriptor], bool]) -> None:
    assert_none(field.full_name for field in fields() if not holds(field))


def test_an_instant_and_a_span_are_named_so() -> None:
    """A caller would take seconds for an instant."""

    def holds(field: FieldDescriptor) -> bool:
        is_instant = type_of(field) == "google.protobuf.Timestamp"
        is_span = type_of(field) == "google.protobuf.Duration"
        return (field.name.endswith("_time"), field.name.endswith("_duration")) == (
            is_instant,
            is_span,
        )

    assert_of_every_field(holds)


def test_a_count_is_a_number_and_what_needs_a_text_is_one() -> None:
    """A caller would take a share for a count."""

    def holds(field: FieldDescriptor) -> bool:
        if field.name.endswith("_count"):
            return field.type == FieldDescriptor.TYPE_INT32
        if field.name.endswith("percent"):
            return field.type in {FieldDescriptor.TYPE_STRING, FieldDescriptor.TYPE_MESSAGE}
        if field.name.endswith(("_url", "_address", "_token")):
            is_text = field.type == FieldDescriptor.TYPE_STRING
            return is_text or type_of(field) == "guerdon.type.v1.Token"
        return True

    assert_of_every_field(holds)


def test_a_key_of_json_is_the_fields_own_name() -> None:
    """One thing would have two names, and who knows one would not find the other."""

    def holds(field: FieldDescriptor) -> bool:
        first, *others = field.name.split("_")
        own = first + "".join(part.capitalize() for part in others)
        return field.json_name == OTHER_KEYS.get(field.full_name, own)

    assert_of_every_field(holds)


def test_a_number_is_exact() -> None:
    """Money would be rounded on its way, and unsigned numbers differ between languages."""
    assert_of_every_field(
        lambda field: field.type not in INEXACT or field.full_name in INEXACT_ALLOWED
    )


def test_an_id_is_a_uuid() -> None:
    """A text that is no UUID would reach the code that reads it as one."""

    def holds(field: FieldDescriptor) -> bool:
        if not field.name.endswith(("_id", "_ids")) or is_output(field):
            return True
        rules = rules_of(field)
        is_uuid = rules.repeated.items.string.uuid if field.is_repeated else rules.string.uuid
        return bool(is_uuid != (field.full_name in IDS_OF_OTHERS))

    assert_of_every_field(holds)


def test_a_list_is_plural() -> None:
    """Code that uses the field would read wrongly."""
    assert_of_every_field(lambda field: not field.is_repeated or field.name.endswith("s"))


def test_a_truth_value_is_a_statement() -> None:
    """Code that uses the field would read wrongly."""
    assert_of_every_field(lambda field: not field.name.startswith(("is_", "has_")))


def test_a_field_says_whether_it_is_sent() -> None:
    """A caller could not tell what to send, nor the server what to ask for."""
    assert_of_every_field(lambda field: len(behaviours(field)) == 1)


def test_what_is_sensitive_is_marked() -> None:
    """A secret would be printed where a message is."""

    def holds(field: FieldDescriptor) -> bool:
        options: FieldOptions = field.GetOptions()
        is_named_so = any(word in field.name for word in SENSITIVE)
        is_exempt = field.name in PAGE_TOKENS or field.full_name in NOT_SENSITIVE
        return not is_named_so or is_exempt or options.debug_redact

    assert_of_every_field(holds)


def test_a_required_field_is_left_to_one_judge() -> None:
    """Two judges of what is required would one day disagree."""
    assert_of_every_field(lambda field: not rules_of(field).required)


def test_a_request_holds_nothing_that_is_only_answered() -> None:
    """A caller would be told that what it must send is never read."""
    assert_none(
        field.full_name
        for message in messages()
        for field in message.fields
        if (message.name.endswith("Request") and is_output(field))
        or (message.name.endswith("Response") and not is_output(field))
    )


def test_a_method_has_messages_of_its_own() -> None:
    """Neither could grow without the other method's."""
    assert_none(
        method.path
        for method in METHODS.values()
        for name in [method.descriptor.name]
        if method.request_type.name != f"{name}Request"
        or method.descriptor.output_type.name != f"{name}Response"
    )


def test_a_list_is_paged() -> None:
    """The list would outgrow an answer, and could not be paged later."""
    lists = [each for each in METHODS.values() if each.descriptor.name.startswith("List")]
    assert lists
    assert_none(method.path for method in lists if not is_paged(method))


def is_paged(method: Method) -> bool:
    asked = method.request_type.fields_by_name
    answered = method.descriptor.output_type.fields_by_name
    page_size = rules_of(asked["page_size"]).int32
    return (
        asked["page_size"].type == FieldDescriptor.TYPE_INT32
        and page_size.HasField("gte")
        and page_size.gte == 0
        and asked["page_token"].type == FieldDescriptor.TYPE_STRING
        and answered["next_page_token"].type == FieldDescriptor.TYPE_STRING
        and any(field.is_repeated for field in answered.values())
    )


def test_the_closed_lists_name_only_what_is_there() -> None:
    """An exception would outlive its reason and cover something new."""
    known = {field.full_name for field in fields()}
    assert known >= IDS_OF_OTHERS | NOT_SENSITIVE | INEXACT_ALLOWED | set(OTHER_KEYS)

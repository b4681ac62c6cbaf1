"""What was made wrong is mended, a field at a time, and what is promised stays."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.message import Message

from guerdon.business.v1 import business_pb2
from guerdon.campaign.v1 import campaign_pb2, rule_pb2
from guerdon.type.v1 import money_pb2
from infrastructure.rpc.updating import resource_of, writable_fields
from tests.support.contract import METHODS, method_ids
from tests.support.mesh import Mesh
from tests.support.refusals import Told, refusal_by
from tests.support.rpc_shop import BUSINESS, CAMPAIGN, TOKEN_ADDRESS, RpcShop, a_campaign, open_shop

UPDATES = [method for method in METHODS.values() if resource_of(method.request_type) is not None]
DOLLARS = money_pb2.Token(
    chain_id=31337, token_address=TOKEN_ADDRESS, decimals=6, peg_currency="USD"
)
COARSE = money_pb2.Token(
    chain_id=31337, token_address=TOKEN_ADDRESS, decimals=2, peg_currency="USD"
)


@pytest.fixture
async def shop(mesh: Mesh) -> RpcShop:
    return await open_shop(mesh)


async def update_merchant(shop: RpcShop, *paths: str, **values: Any) -> business_pb2.Merchant:
    request = merchant_update(shop, *paths, **values)
    merchant: business_pb2.Merchant = (
        await shop.mesh.call(f"{BUSINESS}/UpdateMerchant", request)
    ).merchant
    return merchant


def merchant_update(shop: RpcShop, *paths: str, **values: Any) -> Message:
    return business_pb2.UpdateMerchantRequest(
        merchant_id=shop.merchant_id,
        merchant=business_pb2.Merchant(**values),
        update_mask=FieldMask(paths=paths),
    )


async def refused_merchant(shop: RpcShop, *paths: str, **values: Any) -> Told:
    request = merchant_update(shop, *paths, **values)
    return await refusal_by(shop.mesh.call(f"{BUSINESS}/UpdateMerchant", request))


async def get_merchant(shop: RpcShop) -> business_pb2.Merchant:
    request = business_pb2.GetMerchantRequest(merchant_id=shop.merchant_id)
    merchant: business_pb2.Merchant = (
        await shop.mesh.call(f"{BUSINESS}/GetMerchant", request)
    ).merchant
    return merchant


def campaign_update(
    shop: RpcShop, campaign_id: str, *paths: str, validate_only: bool = False, **values: Any
) -> Message:
    return campaign_pb2.UpdateCampaignRequest(
        merchant_id=shop.merchant_id,
        campaign_id=campaign_id,
        campaign=campaign_pb2.Campaign(**values),
        update_mask=FieldMask(paths=paths),
        validate_only=validate_only,
    )


async def update_campaign(
    shop: RpcShop, campaign_id: str, *paths: str, **values: Any
) -> campaign_pb2.Campaign:
    request = campaign_update(shop, campaign_id, *paths, **values)
    campaign: campaign_pb2.Campaign = (
        await shop.mesh.call(f"{CAMPAIGN}/UpdateCampaign", request)
    ).campaign
    return campaign


async def refused_campaign(shop: RpcShop, campaign_id: str, *paths: str, **values: Any) -> Told:
    request = campaign_update(shop, campaign_id, *paths, **values)
    return await refusal_by(shop.mesh.call(f"{CAMPAIGN}/UpdateCampaign", request))


async def get_campaign(
    shop: RpcShop, campaign_id: str, *, rule_version: int = 0
) -> campaign_pb2.Campaign:
    request = campaign_pb2.GetCampaignRequest(
        merchant_id=shop.merchant_id, campaign_id=campaign_id, rule_version=rule_version
    )
    campaign: campaign_pb2.Campaign = (
        await shop.mesh.call(f"{CAMPAIGN}/GetCampaign", request)
    ).campaign
    return campaign


# -- masks --------------------------------------------------------------------------------------


def test_every_update_says_what_it_changes() -> None:
    """A method that changes a resource would replace what a caller does not know of."""
    named = {"UpdateMerchant", "UpdateCampaign"}
    assert {method.descriptor.name for method in UPDATES} == named
    assert {
        method.descriptor.name
        for method in METHODS.values()
        if method.descriptor.name.startswith("Update")
    } == named | {"UpdateWebhook"}, "which replaces all of it"


@pytest.mark.parametrize("method", UPDATES, ids=method_ids)
@pytest.mark.parametrize("path", ["nothing", "merchant_id", "create_time", "name.first", ""])
async def test_a_mask_names_what_can_be_changed(method: Any, path: str, shop: RpcShop) -> None:
    """A misspelt field would be left as it is, and the caller told that it was changed."""
    resource = resource_of(method.request_type)
    assert resource is not None
    assert resource.message_type is not None
    mask = FieldMask(paths=[path])
    request = method.request_class(merchant_id=shop.merchant_id, update_mask=mask)
    if "campaign_id" in method.request_type.fields_by_name:
        request.campaign_id = await shop.create_campaign(published=False)
    getattr(request, resource.name).name = "New"

    told = await refusal_by(shop.mesh.call(method.path.removeprefix("/"), request))

    assert (told.code, told.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "REQUEST_INVALID")
    assert told.fields == ("update_mask",)
    for name in writable_fields(resource.message_type):
        assert name in told.message


async def test_without_a_mask_what_is_sent_is_changed(shop: RpcShop) -> None:
    """A caller who changes one field would have to send, and so know, all others."""
    before = await get_merchant(shop)

    after = await update_merchant(shop, name="Blue Shoes")

    assert after.name == "Blue Shoes"
    before.name = "Blue Shoes"
    assert after == before == await get_merchant(shop)


async def test_a_mask_leaves_the_rest_as_it_is(shop: RpcShop) -> None:
    """What a form sends along would be changed as well."""
    after = await update_merchant(
        shop, "look_back_duration", name="Blue", look_back_duration=Duration(seconds=60)
    )

    assert (after.name, after.look_back_duration.seconds) == ("Red Shoes", 60)


async def test_a_field_that_is_named_and_left_out_takes_its_default(shop: RpcShop) -> None:
    """A setting could be changed and never be taken back."""
    await update_merchant(shop, look_back_duration=Duration(seconds=60))

    after = await update_merchant(shop, "look_back_duration")

    assert after.look_back_duration.ToTimedelta().days == 30


async def test_what_must_be_there_cannot_be_left_out(shop: RpcShop) -> None:
    """A merchant would have no name, or pay in nothing."""
    told = await refused_merchant(shop, "name", "reward_token")

    assert told.reason == "REQUEST_INVALID"
    assert told.fields == ("merchant.name", "merchant.reward_token")


async def test_a_new_value_is_held_against_its_rules(shop: RpcShop) -> None:
    """What creation refuses would come in by a change."""
    told = await refused_merchant(shop, look_back_duration=Duration(seconds=0))

    assert (told.reason, told.fields) == ("REQUEST_INVALID", ("merchant.look_back_duration",))


async def test_a_change_of_everything_is_whole(shop: RpcShop) -> None:
    """`*` would be taken for a field of that name."""
    before = await get_merchant(shop)
    told = await refused_merchant(shop, "*", name="Blue")
    assert set(told.fields) == {"merchant.domain", "merchant.reward_token"}

    after = await update_merchant(
        shop, "*", name="Blue", domain=before.domain, reward_token=before.reward_token
    )

    assert after.name == "Blue"
    assert after.reward_delay_duration.seconds == 60, "left out: its default"


# -- merchants ----------------------------------------------------------------------------------


async def test_a_merchant_keeps_its_domain(shop: RpcShop) -> None:
    """Shops of old know it by the domain's hash, and their deliveries would lead nowhere."""
    merchant = await get_merchant(shop)
    told = await refused_merchant(shop, domain="other.example")
    assert (told.code, told.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "DOMAIN_FIXED")

    same = await update_merchant(shop, domain=merchant.domain.upper())

    assert same == merchant


async def test_a_wrong_currency_is_mended_until_somebody_is_promised_it(shop: RpcShop) -> None:
    """A merchant that was made wrong would have to be given up."""
    draft = await shop.create_campaign(published=False)
    assert (await update_merchant(shop, reward_token=DOLLARS)).reward_token == DOLLARS

    await shop.change_campaign("Publish", draft)
    told = await refused_merchant(shop, reward_token=COARSE)

    assert (told.code, told.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "TOKEN_IN_USE")
    assert told.metadata["peg_currency"] == "USD"
    await shop.change_campaign("Archive", draft)
    assert (await refused_merchant(shop, reward_token=COARSE)).reason == "TOKEN_IN_USE"
    assert (await update_merchant(shop, reward_token=DOLLARS)).reward_token == DOLLARS


async def test_a_draft_pays_in_what_its_merchant_pays_when_it_is_published(shop: RpcShop) -> None:
    """It would pay in the token that was a mistake."""
    draft = await shop.create_campaign(published=False)
    await update_merchant(shop, reward_token=COARSE)
    await shop.change_campaign("Publish", draft)
    await shop.order("A-1", client_id="a-buyer", currency="USD")
    await shop.arrive("a-buyer")

    async with asyncio.timeout(10):
        while not await shop.rewards():  # Lanes of other tests take their turns as well.
            await shop.work()

    granted = {each.granted.unit: each.granted for each in await shop.rewards()}
    amount = granted[f"31337:{TOKEN_ADDRESS}"]
    assert (amount.base_units, amount.amount) == ("119", "1.19"), "2 % of 59.80, of two decimals"
    (item,) = (await get_campaign(shop, draft)).budget.items
    assert item.amount == "1000"


async def test_a_draft_that_the_new_token_cannot_pay_says_so(shop: RpcShop) -> None:
    """Its amounts would be rounded in silence."""
    draft = await shop.create_campaign(published=False)
    budget = rule_pb2.Budget(
        items=[rule_pb2.BudgetItem(label="hourly", amount="10.123")],
        unlimited_assets=[money_pb2.ASSET_POINTS],
    )
    await update_campaign(shop, draft, budget=budget)
    await update_merchant(shop, reward_token=COARSE)

    request = campaign_pb2.PublishCampaignRequest(merchant_id=shop.merchant_id, campaign_id=draft)
    told = await refusal_by(shop.mesh.call(f"{CAMPAIGN}/PublishCampaign", request))

    assert (told.reason, told.fields) == ("RULE_INVALID", ("campaign.budget.items[0].amount",))


async def test_an_unknown_merchant_is_not_changed(shop: RpcShop) -> None:
    """A caller would be told of a success."""
    request = merchant_update(shop, name="New")
    request.merchant_id = "00000000-0000-4000-8000-000000000000"  # type: ignore[attr-defined]
    told = await refusal_by(shop.mesh.call(f"{BUSINESS}/UpdateMerchant", request))
    assert told.reason == "MERCHANT_NOT_FOUND"


# -- campaigns ----------------------------------------------------------------------------------


async def test_a_draft_without_a_budget_is_mended(shop: RpcShop) -> None:
    """It could never be published."""
    message = a_campaign()
    message.ClearField("budget")
    request = campaign_pb2.CreateCampaignRequest(merchant_id=shop.merchant_id, campaign=message)
    draft = (await shop.mesh.call(f"{CAMPAIGN}/CreateCampaign", request)).campaign.campaign_id

    changed = await update_campaign(shop, draft, budget=a_campaign().budget, priority=7)
    await shop.change_campaign("Publish", draft)

    assert (changed.rule_version, changed.priority) == (1, 7)
    found = await get_campaign(shop, draft)
    assert found.state == campaign_pb2.Campaign.STATE_ACTIVE
    assert [item.label for item in found.budget.items] == ["hourly"]


async def test_a_published_campaign_changes_by_versions(shop: RpcShop) -> None:
    """What was promised could not be read any more."""
    campaign_id = await shop.create_campaign()
    rule = a_campaign().rule
    rule.rewards[0].percentage.percent = "3"

    changed = await update_campaign(shop, campaign_id, rule=rule)
    again = await update_campaign(shop, campaign_id, rule=rule, name="other")

    assert (changed.rule_version, again.rule_version) == (2, 2), "the same rule is no new version"
    assert changed.HasField("version_time")
    first = await get_campaign(shop, campaign_id, rule_version=1)
    assert first.rule.rewards[0].percentage.percent == "2"
    assert first.rule_version == 1
    assert (await get_campaign(shop, campaign_id, rule_version=2)).rule == again.rule
    request = campaign_pb2.GetCampaignRequest(
        merchant_id=shop.merchant_id, campaign_id=campaign_id, rule_version=3
    )
    told = await refusal_by(shop.mesh.call(f"{CAMPAIGN}/GetCampaign", request))
    assert (told.code, told.reason) == (grpc.StatusCode.NOT_FOUND, "RULE_VERSION_NOT_FOUND")


async def test_what_a_published_campaign_keeps_is_said(shop: RpcShop) -> None:
    """Orders of the past would begin to earn, or a limit would be gone unseen."""
    campaign_id = await shop.create_campaign()
    earlier = a_campaign().start_time
    earlier.seconds -= 60
    moved = await refused_campaign(shop, campaign_id, start_time=earlier)
    assert (moved.reason, moved.fields) == ("START_FIXED", ("campaign.start_time",))
    over = await refused_campaign(shop, campaign_id, expire_time=earlier)
    assert (over.reason, over.fields) == ("RULE_INVALID", ("campaign.expire_time",))
    passed = a_campaign().start_time
    passed.seconds += 60
    ended = await refused_campaign(shop, campaign_id, expire_time=passed)
    assert (ended.reason, ended.fields) == ("CAMPAIGN_OVER", ("campaign.expire_time",))
    unlimited = await refused_campaign(shop, campaign_id, "budget")
    assert unlimited.reason == "BUDGET_MISSING"

    await shop.change_campaign("Archive", campaign_id)
    archived = await refused_campaign(shop, campaign_id, name="New")

    assert archived.reason == "TRANSITION_INVALID"


async def test_a_rehearsal_changes_nothing(shop: RpcShop) -> None:
    """A caller who wants to know whether a change is good would have made it."""
    campaign_id = await shop.create_campaign()
    before = await get_campaign(shop, campaign_id)
    rule = a_campaign().rule
    rule.rewards[0].percentage.percent = "3"
    request = campaign_update(shop, campaign_id, validate_only=True, rule=rule)

    told = (await shop.mesh.call(f"{CAMPAIGN}/UpdateCampaign", request)).campaign

    assert told.rule_version == 2
    assert await get_campaign(shop, campaign_id) == before


async def test_a_draft_is_deleted_and_nothing_else(shop: RpcShop) -> None:
    """A list would fill with drafts, or rewards lose their campaign."""
    draft, published = await shop.create_campaign(published=False), await shop.create_campaign()
    named = {"merchant_id": shop.merchant_id}
    await shop.mesh.call(
        f"{CAMPAIGN}/DeleteCampaign",
        campaign_pb2.DeleteCampaignRequest(campaign_id=draft, **named),
    )
    for campaign_id, reason in ((draft, "CAMPAIGN_NOT_FOUND"), (published, "TRANSITION_INVALID")):
        request = campaign_pb2.DeleteCampaignRequest(campaign_id=campaign_id, **named)
        told = await refusal_by(shop.mesh.call(f"{CAMPAIGN}/DeleteCampaign", request))
        assert told.reason == reason

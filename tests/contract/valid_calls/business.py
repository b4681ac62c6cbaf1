"""Merchants and their webhooks."""

from __future__ import annotations

from collections.abc import Mapping

from google.protobuf.message import Message

from guerdon.business.v1 import business_pb2
from tests.contract.valid_calls.making import MERCHANT, Make, about
from tests.support.rpc_shop import SIGNING_KEY, BusyShop, a_merchant, open_shop


async def _create_merchant(_: BusyShop) -> Message:
    return business_pb2.CreateMerchantRequest(merchant=a_merchant())


async def _update_merchant(busy: BusyShop) -> Message:
    shop = await open_shop(busy.shop.mesh)
    return business_pb2.UpdateMerchantRequest(
        merchant_id=shop.merchant_id, merchant=business_pb2.Merchant(name="Blue Shoes")
    )


async def _update_webhook(busy: BusyShop) -> Message:
    shop = await open_shop(busy.shop.mesh)
    return business_pb2.UpdateWebhookRequest(
        merchant_id=shop.merchant_id,
        platform=business_pb2.PLATFORM_CUSTOM,
        signing_key=SIGNING_KEY,
    )


REQUESTS: Mapping[str, Make] = {
    "guerdon.business.v1.BusinessService.CreateMerchant": _create_merchant,
    "guerdon.business.v1.BusinessService.GetMerchant": about(
        business_pb2.GetMerchantRequest, **MERCHANT
    ),
    "guerdon.business.v1.BusinessService.GetWebhook": about(
        business_pb2.GetWebhookRequest, **MERCHANT
    ),
    "guerdon.business.v1.BusinessService.ListMerchants": about(business_pb2.ListMerchantsRequest),
    "guerdon.business.v1.BusinessService.UpdateMerchant": _update_merchant,
    "guerdon.business.v1.BusinessService.UpdateWebhook": _update_webhook,
}

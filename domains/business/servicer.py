"""BusinessService, translated."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from domains.business.model import (
    CLOCK_TOLERANCE_DEFAULT,
    LOOK_BACK_DEFAULT,
    REWARD_DELAY_DEFAULT,
    AttributionModel,
    Merchant,
    Platform,
    RewardToken,
    Webhook,
)
from domains.business.ports import TokenUse
from domains.business.service import BusinessService
from guerdon.business.v1 import business_pb2, business_pb2_grpc
from guerdon.type.v1 import money_pb2
from infrastructure.database.repeated_call import answer_once
from infrastructure.database.transaction import Database, Transaction
from infrastructure.rpc.paging import page_of, page_start
from infrastructure.rpc.repeating import current_repeat
from infrastructure.rpc.translating import number_of, to_duration, to_timestamp, word_of
from infrastructure.rpc.updating import updated_fields
from vocabulary.ids import MerchantId


class BusinessServicer(business_pb2_grpc.BusinessServiceServicer):
    def __init__(
        self,
        *,
        database: Database,
        business: BusinessService,
        token_use: TokenUse,
        clock: Callable[[], datetime],
        new_id: Callable[[], UUID],
    ) -> None:
        self._database = database
        self._business = business
        self._token_use = token_use
        self._clock = clock
        self._new_id = new_id

    async def CreateMerchant(
        self, request: business_pb2.CreateMerchantRequest, context: Any
    ) -> business_pb2.CreateMerchantResponse:
        draft = _from_proto(
            request.merchant, merchant_id=MerchantId(self._new_id()), now=self._clock()
        )

        async def create(tx: Transaction) -> business_pb2.CreateMerchantResponse:
            merchant = await self._business.create(tx, draft)
            return business_pb2.CreateMerchantResponse(merchant=_to_proto(merchant))

        return await answer_once(self._database, current_repeat(), create)

    async def GetMerchant(
        self, request: business_pb2.GetMerchantRequest, context: Any
    ) -> business_pb2.GetMerchantResponse:
        async with self._database.single() as tx:
            merchant = await self._business.get(tx, MerchantId(UUID(request.merchant_id)))
        return business_pb2.GetMerchantResponse(merchant=_to_proto(merchant))

    async def ListMerchants(
        self, request: business_pb2.ListMerchantsRequest, context: Any
    ) -> business_pb2.ListMerchantsResponse:
        start = page_start(request, UUID)
        async with self._database.single() as tx:
            merchants = await self._business.list_all(tx, before=start.after, limit=start.limit)
        return page_of(
            merchants,
            start,
            key=lambda each: each.merchant_id,
            to_message=_to_proto,
            response=business_pb2.ListMerchantsResponse,
        )

    async def UpdateMerchant(
        self, request: business_pb2.UpdateMerchantRequest, context: Any
    ) -> business_pb2.UpdateMerchantResponse:
        changes = {
            _FIELDS[name]: _VALUES[name](request.merchant) for name in updated_fields(request)
        }

        async def update(tx: Transaction) -> business_pb2.UpdateMerchantResponse:
            merchant = await self._business.update(
                tx, MerchantId(UUID(request.merchant_id)), changes, token_use=self._token_use
            )
            return business_pb2.UpdateMerchantResponse(merchant=_to_proto(merchant))

        return await answer_once(self._database, current_repeat(), update)

    async def GetWebhook(
        self, request: business_pb2.GetWebhookRequest, context: Any
    ) -> business_pb2.GetWebhookResponse:
        async with self._database.single() as tx:
            webhook = await self._business.get_webhook(tx, MerchantId(UUID(request.merchant_id)))
        return business_pb2.GetWebhookResponse(
            webhook=_webhook_to_proto(webhook, now=self._clock())
        )

    async def UpdateWebhook(
        self, request: business_pb2.UpdateWebhookRequest, context: Any
    ) -> business_pb2.UpdateWebhookResponse:
        now, kept = self._clock(), request.previous_key_duration

        async def update(tx: Transaction) -> business_pb2.UpdateWebhookResponse:
            webhook = await self._business.set_webhook(
                tx,
                MerchantId(UUID(request.merchant_id)),
                platform=word_of(request.platform, Platform, business_pb2.Platform),
                signing_key=request.signing_key,
                now=now,
                previous_key_kept=kept.ToTimedelta()
                if request.HasField("previous_key_duration")
                else None,
            )
            return business_pb2.UpdateWebhookResponse(webhook=_webhook_to_proto(webhook, now=now))

        return await answer_once(self._database, current_repeat(), update)


def _from_proto(
    message: business_pb2.Merchant, *, merchant_id: MerchantId, now: datetime
) -> Merchant:
    values = {_FIELDS[name]: value_of(message) for name, value_of in _VALUES.items()}
    return Merchant(merchant_id=merchant_id, create_time=now, **values)


def _duration(message: business_pb2.Merchant, field: str, default: timedelta) -> timedelta:
    if not message.HasField(field):  # type: ignore[arg-type]  # one of two names
        return default
    span: timedelta = getattr(message, field).ToTimedelta()
    return span


_FIELDS = {
    "name": "name",
    "domain": "domain",
    "reward_token": "reward_token",
    "look_back_duration": "look_back",
    "reward_delay_duration": "reward_delay",
    "clock_tolerance_duration": "clock_tolerance",
    "attribution_model": "attribution_model",
}
"""The fields that a caller sets, by their names in the contract."""

_VALUES: dict[str, Callable[[business_pb2.Merchant], Any]] = {
    "name": lambda message: message.name,
    "domain": lambda message: message.domain,
    "reward_token": lambda message: RewardToken(
        chain_id=message.reward_token.chain_id,
        address=message.reward_token.token_address,
        decimals=message.reward_token.decimals,
        peg_currency=message.reward_token.peg_currency,
    ),
    "look_back_duration": lambda message: _duration(
        message, "look_back_duration", LOOK_BACK_DEFAULT
    ),
    "reward_delay_duration": lambda message: _duration(
        message, "reward_delay_duration", REWARD_DELAY_DEFAULT
    ),
    "clock_tolerance_duration": lambda message: _duration(
        message, "clock_tolerance_duration", CLOCK_TOLERANCE_DEFAULT
    ),
    "attribution_model": lambda message: word_of(
        message.attribution_model,
        AttributionModel,
        business_pb2.Merchant.AttributionModel,
        AttributionModel.FIRST_TOUCH,
    ),
}


def _to_proto(merchant: Merchant) -> business_pb2.Merchant:
    token = merchant.reward_token
    return business_pb2.Merchant(
        merchant_id=str(merchant.merchant_id),
        product_id=f"0x{merchant.product_id.hex()}",
        name=merchant.name,
        domain=merchant.domain,
        reward_token=money_pb2.Token(
            chain_id=token.chain_id,
            token_address=token.address,
            decimals=token.decimals,
            peg_currency=token.peg_currency,
        ),
        look_back_duration=to_duration(merchant.look_back),
        reward_delay_duration=to_duration(merchant.reward_delay),
        clock_tolerance_duration=to_duration(merchant.clock_tolerance),
        attribution_model=number_of(
            merchant.attribution_model, business_pb2.Merchant.AttributionModel
        ),
        create_time=to_timestamp(merchant.create_time),
    )


def _webhook_to_proto(webhook: Webhook, *, now: datetime) -> business_pb2.Webhook:
    previous = webhook.previous_key_at(now)
    return business_pb2.Webhook(
        platform=number_of(webhook.platform, business_pb2.Platform),
        signing_key_suffix=webhook.key_suffix,
        update_time=to_timestamp(webhook.update_time),
        previous_signing_key_suffix="" if previous is None else previous.key_suffix,
        previous_key_end_time=None if previous is None else to_timestamp(previous.end_time),
    )

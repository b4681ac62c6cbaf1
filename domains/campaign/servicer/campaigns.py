"""The methods of CampaignService."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Any, Protocol, TypeVar
from uuid import UUID

from google.protobuf.message import Message

from domains.campaign.errors import PageTokenInvalidError
from domains.campaign.model import (
    BudgetItem,
    BudgetWindow,
    CalendarMonths,
    Campaign,
    CampaignState,
    RewardUnits,
    Tiles,
)
from domains.campaign.model.budget import ALL_TIME
from domains.campaign.model.checking import to_base_units
from domains.campaign.service import CampaignService, Change
from domains.campaign.servicer.rules import from_rule, number_of, to_asset, to_rule
from guerdon.campaign.v1 import campaign_pb2, campaign_pb2_grpc, rule_pb2
from guerdon.type.v1 import money_pb2
from infrastructure.database.transaction import Database
from infrastructure.rpc.repeating import current_repeat
from infrastructure.rpc.translating import (
    page_of,
    page_start,
    to_datetime,
    to_timestamp,
    to_token_amount,
)
from vocabulary.amounts import TokenAmount
from vocabulary.ids import BudgetItemId, CampaignId, MerchantId

UTC_ZONE = "UTC"

Response = TypeVar("Response", bound=Message)


class _CampaignNamed(Protocol):
    merchant_id: str
    campaign_id: str


class CampaignServicer(campaign_pb2_grpc.CampaignServiceServicer):
    def __init__(
        self,
        *,
        database: Database,
        campaigns: CampaignService,
        clock: Callable[[], datetime],
        new_id: Callable[[], UUID],
    ) -> None:
        self._database = database
        self._campaigns = campaigns
        self._clock = clock
        self._new_id = new_id

    async def CreateCampaign(
        self, request: campaign_pb2.CreateCampaignRequest, context: Any
    ) -> campaign_pb2.CreateCampaignResponse:
        merchant_id = MerchantId(UUID(request.merchant_id))
        now = self._clock()

        def make(units: RewardUnits) -> Campaign:
            return self._draft(request.campaign, merchant_id, units, now)

        def respond(campaign: Campaign) -> campaign_pb2.CreateCampaignResponse:
            message = _to_proto(campaign)
            if request.validate_only:
                message.ClearField("campaign_id")
            return campaign_pb2.CreateCampaignResponse(campaign=message)

        async with self._database.transaction(repeat=current_repeat(respond)) as tx:
            campaign = await self._campaigns.create(
                tx, merchant_id, make, validate_only=request.validate_only
            )
            await tx.answer(campaign)
        return respond(campaign)

    async def GetCampaign(
        self, request: campaign_pb2.GetCampaignRequest, context: Any
    ) -> campaign_pb2.GetCampaignResponse:
        async with self._database.single() as tx:
            campaign = await self._campaigns.get(
                tx, MerchantId(UUID(request.merchant_id)), CampaignId(UUID(request.campaign_id))
            )
        return campaign_pb2.GetCampaignResponse(campaign=_to_proto(campaign))

    async def ListCampaigns(
        self, request: campaign_pb2.ListCampaignsRequest, context: Any
    ) -> campaign_pb2.ListCampaignsResponse:
        start = page_start(
            request.page_size, request.page_token, key=(int, UUID), invalid=PageTokenInvalidError
        )
        after = (int(start.after[0]), CampaignId(UUID(start.after[1]))) if start.after else None
        async with self._database.single() as tx:
            campaigns = await self._campaigns.list_of_merchant(
                tx, MerchantId(UUID(request.merchant_id)), after=after, limit=start.limit + 1
            )
        page = page_of(campaigns, start, key=lambda each: (each.priority, each.campaign_id))
        return campaign_pb2.ListCampaignsResponse(
            campaigns=[_to_proto(campaign) for campaign in page.items],
            next_page_token=page.next_page_token,
        )

    async def PublishCampaign(
        self, request: campaign_pb2.PublishCampaignRequest, context: Any
    ) -> campaign_pb2.PublishCampaignResponse:
        return await self._change(request, Campaign.publish, campaign_pb2.PublishCampaignResponse)

    async def PauseCampaign(
        self, request: campaign_pb2.PauseCampaignRequest, context: Any
    ) -> campaign_pb2.PauseCampaignResponse:
        return await self._change(request, Campaign.pause, campaign_pb2.PauseCampaignResponse)

    async def ResumeCampaign(
        self, request: campaign_pb2.ResumeCampaignRequest, context: Any
    ) -> campaign_pb2.ResumeCampaignResponse:
        return await self._change(request, Campaign.resume, campaign_pb2.ResumeCampaignResponse)

    async def ArchiveCampaign(
        self, request: campaign_pb2.ArchiveCampaignRequest, context: Any
    ) -> campaign_pb2.ArchiveCampaignResponse:
        return await self._change(request, Campaign.archive, campaign_pb2.ArchiveCampaignResponse)

    async def _change(
        self, request: _CampaignNamed, change: Change, response: Callable[..., Response]
    ) -> Response:
        def respond(campaign: Campaign) -> Response:
            return response(campaign=_to_proto(campaign))

        async with self._database.transaction(repeat=current_repeat(respond)) as tx:
            campaign = await self._campaigns.change_state(
                tx,
                MerchantId(UUID(request.merchant_id)),
                CampaignId(UUID(request.campaign_id)),
                change,
                now=self._clock(),
            )
            await tx.answer(campaign)
        return respond(campaign)

    async def ListBudgetWindows(
        self, request: campaign_pb2.ListBudgetWindowsRequest, context: Any
    ) -> campaign_pb2.ListBudgetWindowsResponse:
        start = page_start(
            request.page_size,
            request.page_token,
            key=(datetime.fromisoformat, UUID),
            invalid=PageTokenInvalidError,
        )
        after = (
            (datetime.fromisoformat(start.after[0]), UUID(start.after[1])) if start.after else None
        )
        async with self._database.single() as tx:
            windows = await self._campaigns.list_windows(
                tx,
                MerchantId(UUID(request.merchant_id)),
                CampaignId(UUID(request.campaign_id)),
                after=after,
                limit=start.limit + 1,
            )
        page = page_of(windows, start, key=lambda each: (each.start_time, each.item.budget_item_id))
        return campaign_pb2.ListBudgetWindowsResponse(
            budget_windows=[_window_to_proto(window) for window in page.items],
            next_page_token=page.next_page_token,
        )

    def _draft(
        self,
        message: campaign_pb2.Campaign,
        merchant_id: MerchantId,
        units: RewardUnits,
        now: datetime,
    ) -> Campaign:
        campaign_id = CampaignId(self._new_id())
        return Campaign(
            campaign_id=campaign_id,
            merchant_id=merchant_id,
            name=message.name,
            state=CampaignState.DRAFT,
            priority=message.priority,
            rule=to_rule(message.rule),
            rule_version=1,
            units=units,
            budget=tuple(
                _item_from_proto(
                    item,
                    budget_item_id=BudgetItemId(self._new_id()),
                    campaign_id=campaign_id,
                    units=units,
                    path=f"budget.items[{index}]",
                )
                for index, item in enumerate(message.budget.items)
            ),
            unlimited=frozenset(to_asset(asset) for asset in message.budget.unlimited_assets),
            start_time=to_datetime(message.start_time) if message.HasField("start_time") else None,
            expire_time=to_datetime(message.expire_time)
            if message.HasField("expire_time")
            else None,
            publish_time=None,
            create_time=now,
            update_time=now,
        )


def _item_from_proto(
    message: rule_pb2.BudgetItem,
    *,
    budget_item_id: BudgetItemId,
    campaign_id: CampaignId,
    units: RewardUnits,
    path: str,
) -> BudgetItem:
    asset = to_asset(message.asset)
    unit = units.of(asset)
    window: Tiles | CalendarMonths | None = None
    match message.WhichOneof("window"):
        case "window_duration":
            window = Tiles(duration=message.window_duration.ToTimedelta())
        case "calendar_month":
            window = CalendarMonths(time_zone=message.calendar_month.time_zone or UTC_ZONE)
        case None:
            pass
    return BudgetItem(
        budget_item_id=budget_item_id,
        campaign_id=campaign_id,
        label=message.label,
        asset=asset,
        unit=unit,
        limit=to_base_units(Decimal(message.amount), unit, f"{path}.amount"),
        window=window,
    )


def _item_to_proto(item: BudgetItem) -> rule_pb2.BudgetItem:
    message = rule_pb2.BudgetItem(
        budget_item_id=str(item.budget_item_id),
        label=item.label,
        asset=number_of(item.asset, money_pb2.Asset),
        amount=item.unit.to_text(item.limit),
    )
    match item.window:
        case Tiles(duration=duration):
            message.window_duration.FromTimedelta(duration)
        case CalendarMonths(time_zone=time_zone):
            message.calendar_month.time_zone = time_zone
        case None:
            pass
    return message


def _to_proto(campaign: Campaign) -> campaign_pb2.Campaign:
    return campaign_pb2.Campaign(
        campaign_id=str(campaign.campaign_id),
        merchant_id=str(campaign.merchant_id),
        name=campaign.name,
        state=number_of(campaign.state, campaign_pb2.Campaign.State),
        priority=campaign.priority,
        rule=from_rule(campaign.rule),
        budget=rule_pb2.Budget(
            items=[_item_to_proto(item) for item in campaign.budget],
            unlimited_assets=[
                number_of(asset, money_pb2.Asset) for asset in sorted(campaign.unlimited)
            ],
        ),
        start_time=to_timestamp(campaign.start_time),
        expire_time=to_timestamp(campaign.expire_time),
        publish_time=to_timestamp(campaign.publish_time),
        create_time=to_timestamp(campaign.create_time),
        update_time=to_timestamp(campaign.update_time),
    )


def _window_to_proto(window: BudgetWindow) -> campaign_pb2.BudgetWindow:
    def amount(base_units: int) -> money_pb2.TokenAmount:
        return to_token_amount(TokenAmount(unit=window.item.unit, base_units=base_units))

    is_all_time = (window.start_time, window.end_time) == ALL_TIME
    return campaign_pb2.BudgetWindow(
        budget_item_id=str(window.item.budget_item_id),
        label=window.item.label,
        start_time=None if is_all_time else to_timestamp(window.start_time),
        end_time=None if is_all_time else to_timestamp(window.end_time),
        limit=amount(window.item.limit),
        used=amount(window.used),
        refused_count=window.refused_count,
        refused=amount(window.refused),
    )

"""The messages of campaigns and their budgets, both ways."""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

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
from domains.campaign.servicer.rules import from_rule, to_asset, to_rule
from guerdon.campaign.v1 import campaign_pb2, rule_pb2
from guerdon.type.v1 import money_pb2
from infrastructure.rpc.translating import (
    number_of,
    to_datetime,
    to_timestamp,
    to_token_amount,
)
from vocabulary.amounts import TokenAmount
from vocabulary.ids import BudgetItemId, CampaignId, MerchantId
from vocabulary.problems import Problems

UTC_ZONE = "UTC"


def draft_from_proto(
    message: campaign_pb2.Campaign,
    merchant_id: MerchantId,
    units: RewardUnits,
    problems: Problems,
    *,
    now: datetime,
    new_id: Callable[[], UUID],
) -> Campaign:
    """A draft of what a message says, under an id of its own.

    Adds to the problems what it cannot read; something else stands for that in the draft.
    """
    campaign_id = CampaignId(new_id())
    values = changes_from_proto(
        message, _VALUES.keys(), campaign_id, units, problems, new_id=new_id
    )
    return Campaign(
        campaign_id=campaign_id,
        merchant_id=merchant_id,
        state=CampaignState.DRAFT,
        rule_version=1,
        units=units,
        publish_time=None,
        create_time=now,
        update_time=now,
        version_time=now,
        **values,
    )


def changes_from_proto(
    message: campaign_pb2.Campaign,
    names: Collection[str],
    campaign_id: CampaignId,
    units: RewardUnits,
    problems: Problems,
    *,
    new_id: Callable[[], UUID],
) -> dict[str, Any]:
    """The values that a message has for some of its fields, by the names of the model's fields.

    Adds to the problems what it cannot read; something else stands for that among the values.
    """
    values = {
        name: value_of(message, problems) for name, value_of in _VALUES.items() if name in names
    }
    if "budget" in names:
        values["budget"] = tuple(
            _item_from_proto(
                item,
                budget_item_id=BudgetItemId(new_id()),
                campaign_id=campaign_id,
                units=units,
                path=f"campaign.budget.items[{index}]",
                problems=problems,
            )
            for index, item in enumerate(message.budget.items)
        )
        values["unlimited"] = frozenset(
            to_asset(asset) for asset in message.budget.unlimited_assets
        )
    return values


def _time(message: campaign_pb2.Campaign, name: str) -> datetime | None:
    if not message.HasField(name):  # type: ignore[arg-type]  # one of two names
        return None
    return to_datetime(getattr(message, name))


_VALUES: dict[str, Callable[[campaign_pb2.Campaign, Problems], Any]] = {
    "name": lambda message, _: message.name,
    "priority": lambda message, _: message.priority,
    "rule": lambda message, problems: to_rule(message.rule, problems),
    "budget": lambda *_: (),
    "start_time": lambda message, _: _time(message, "start_time"),
    "expire_time": lambda message, _: _time(message, "expire_time"),
}


def _item_from_proto(
    message: rule_pb2.BudgetItem,
    *,
    budget_item_id: BudgetItemId,
    campaign_id: CampaignId,
    units: RewardUnits,
    path: str,
    problems: Problems,
) -> BudgetItem:
    asset = to_asset(message.asset)
    unit = units.of(asset)
    limit = 1
    with problems.collecting():
        limit = to_base_units(Decimal(message.amount), unit, f"{path}.amount")
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
        limit=limit,
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


def campaign_to_proto(campaign: Campaign) -> campaign_pb2.Campaign:
    """The contract's message for a campaign."""
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
        rule_version=campaign.rule_version,
        version_time=None if campaign.rule_version == 1 else to_timestamp(campaign.version_time),
    )


def window_to_proto(window: BudgetWindow) -> campaign_pb2.BudgetWindow:
    """The contract's message for a window of a budget."""

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

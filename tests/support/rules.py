"""Campaigns of shops for tests."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import uuid4

from domains.campaign.model import (
    Asset,
    BudgetItem,
    CalendarMonths,
    Campaign,
    CampaignState,
    Chaining,
    Condition,
    ConditionGroup,
    FixedAmount,
    Operator,
    PercentageAmount,
    PercentOf,
    Recipient,
    RewardDefinition,
    RewardUnits,
    Rule,
    Tiles,
    Trigger,
)
from vocabulary.ids import BudgetItemId, CampaignId, MerchantId
from vocabulary.problems import Problems


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """A budget item to be, in whole units."""

    amount: str
    label: str = "all"
    asset: Asset = Asset.TOKEN
    window: Tiles | CalendarMonths | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CampaignPlan:
    """A campaign to be. Without limits, what it pays is unlimited."""

    name: str
    rule: Rule
    limits: tuple[Limit, ...] = ()
    start_time: datetime | None = None
    expire_time: datetime | None = None

    def maker(
        self, merchant_id: MerchantId, *, priority: int, now: datetime
    ) -> Callable[[RewardUnits, Problems], Campaign]:
        """Makes the draft once it is known in what the merchant pays."""
        campaign_id = CampaignId(uuid4())

        def make(units: RewardUnits, _: Problems) -> Campaign:
            return Campaign(
                campaign_id=campaign_id,
                merchant_id=merchant_id,
                name=self.name,
                state=CampaignState.DRAFT,
                priority=priority,
                rule=self.rule,
                rule_version=1,
                units=units,
                budget=tuple(item_of(limit, campaign_id, units) for limit in self.limits),
                unlimited=self.rule.assets - {limit.asset for limit in self.limits},
                start_time=self.start_time,
                expire_time=self.expire_time,
                publish_time=None,
                create_time=now,
                update_time=now,
                version_time=now,
            )

        return make


def item_of(limit: Limit, campaign_id: CampaignId, units: RewardUnits) -> BudgetItem:
    """A budget item under an id of its own."""
    unit = units.of(limit.asset)
    return BudgetItem(
        budget_item_id=BudgetItemId(uuid4()),
        campaign_id=campaign_id,
        label=limit.label,
        asset=limit.asset,
        unit=unit,
        limit=unit.to_base_units(Decimal(limit.amount)),
        window=limit.window,
    )


def fixed(amount: str) -> FixedAmount:
    return FixedAmount(amount=Decimal(amount))


def percent(part: str, of: PercentOf = PercentOf.PURCHASE_AMOUNT) -> PercentageAmount:
    return PercentageAmount(percent=Decimal(part), percent_of=of)


def chained(user: str, level: str, *, depth_max: int = 5) -> Chaining:
    return Chaining(user_percent=Decimal(user), level_percent=Decimal(level), depth_max=depth_max)


def a_condition(field: str, operator: Operator, value: str | Decimal) -> ConditionGroup:
    return ConditionGroup(members=(Condition(field=field, operator=operator, value=value),))


def a_campaign(
    name: str = "welcome",
    *,
    amount: FixedAmount | PercentageAmount | None = None,
    to: Recipient = Recipient.USER,
    chaining: Chaining | None = None,
    trigger: Trigger = Trigger.PURCHASE,
    when: ConditionGroup | None = None,
    asset: Asset = Asset.TOKEN,
    limits: tuple[Limit, ...] = (),
    start_time: datetime | None = None,
    expire_time: datetime | None = None,
) -> CampaignPlan:
    """Pays the buyer of every order one euro, unless told otherwise."""
    return CampaignPlan(
        name=name,
        rule=Rule(
            trigger=trigger,
            conditions=when or ConditionGroup(),
            rewards=(
                RewardDefinition(
                    recipient=to,
                    asset=asset,
                    amount=amount or fixed("1"),
                    chaining=chaining,
                ),
            ),
        ),
        limits=limits,
        start_time=start_time,
        expire_time=expire_time,
    )

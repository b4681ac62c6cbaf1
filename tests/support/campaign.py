"""Campaigns, events that they decide, and rules of every shape, for tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

from eth_utils.address import to_checksum_address
from hypothesis import strategies as st

from domains.campaign.model import (
    Asset,
    BudgetItem,
    BudgetState,
    CalendarMonths,
    Campaign,
    CampaignState,
    Chaining,
    Condition,
    ConditionGroup,
    Decision,
    EventFacts,
    ExchangeRate,
    FixedAmount,
    Logic,
    Operator,
    Pair,
    PercentageAmount,
    PercentOf,
    PurchaseFacts,
    Recipient,
    RewardDefinition,
    RewardUnits,
    Rule,
    Tiles,
    Trigger,
    decide,
)
from domains.campaign.model.fields import (
    EVENT_FIELDS,
    LISTED,
    ORDERING,
    PRESENCE,
    SOURCES,
    FieldType,
)
from domains.campaign.model.rule import Operand, Scalar
from domains.campaign.model.values import AMOUNT_DECIMALS_MAX, RANGES, YEAR_MIN, to_form
from infrastructure.database.transaction import Transaction
from vocabulary.amounts import token_unit
from vocabulary.exact import round_half_even
from vocabulary.ids import BudgetItemId, CampaignId, ExchangeRateId, IdentityGroupId, MerchantId
from vocabulary.nobody import is_absent, is_nobody

PUBLISHED = datetime(2025, 3, 1, 12, tzinfo=UTC)
ORDERED = PUBLISHED + timedelta(days=3)
TOKEN = token_unit(
    chain_id=1, token_address="0x1f9840a85d5af5bf1d1762f925bdaddc4201f984", decimals=6
)
UNITS = RewardUnits(token=TOKEN, peg_currency="EUR")
ONE = 10**TOKEN.decimals
"""One whole token in base units. Discounts and points have as many decimals."""
BUYER = IdentityGroupId(uuid4())
UNUSED = BudgetState()
RATE = ExchangeRate(
    exchange_rate_id=ExchangeRateId(uuid4()),
    pair=Pair(base="USD", quote="EUR"),
    rate=Decimal("0.925"),
    observe_time=ORDERED - timedelta(hours=1),
    source="a feed",
    create_time=ORDERED,
)


class PaysInEuros:
    """Knows some merchants, who all pay in the same token."""

    def __init__(self, *merchant_ids: MerchantId) -> None:
        self._merchant_ids = merchant_ids

    async def exists(self, tx: Transaction, merchant_id: MerchantId) -> bool:
        return merchant_id in self._merchant_ids

    async def units_of(self, tx: Transaction, merchant_id: MerchantId) -> RewardUnits | None:
        return UNITS if merchant_id in self._merchant_ids else None


def all_of(*members: Condition | ConditionGroup) -> ConditionGroup:
    return ConditionGroup(logic=Logic.ALL, members=members)


def any_of(*members: Condition | ConditionGroup) -> ConditionGroup:
    return ConditionGroup(logic=Logic.ANY, members=members)


def none_of(*members: Condition | ConditionGroup) -> ConditionGroup:
    return ConditionGroup(logic=Logic.NONE, members=members)


def asks(
    field: str, operator: Operator, value: Operand = None, value_to: Scalar = None
) -> Condition:
    return Condition(field=field, operator=operator, value=value, value_to=value_to)


def a_definition(
    *,
    to: Recipient = Recipient.USER,
    amount: FixedAmount | PercentageAmount | None = None,
    asset: Asset = Asset.TOKEN,
    chaining: Chaining | None = None,
) -> RewardDefinition:
    """One euro in the token for the buyer."""
    return RewardDefinition(
        recipient=to,
        asset=asset,
        amount=amount or FixedAmount(amount=Decimal(1)),
        chaining=chaining,
        description="thank you",
    )


def a_rule(
    *definitions: RewardDefinition,
    trigger: Trigger = Trigger.PURCHASE,
    when: ConditionGroup | None = None,
) -> Rule:
    """Pays one euro for every order."""
    return Rule(
        trigger=trigger,
        conditions=when or ConditionGroup(),
        rewards=definitions or (a_definition(),),
    )


def an_item(
    limit: int = 100 * ONE,
    *,
    label: str = "all",
    asset: Asset = Asset.TOKEN,
    window: Tiles | CalendarMonths | None = None,
) -> BudgetItem:
    """A limit of a hundred tokens, for all time."""
    return BudgetItem(
        budget_item_id=BudgetItemId(uuid4()),
        campaign_id=CampaignId(uuid4()),
        label=label,
        asset=asset,
        unit=UNITS.of(asset),
        limit=limit,
        window=window,
    )


def a_campaign(
    rule: Rule | None = None,
    *,
    state: CampaignState = CampaignState.ACTIVE,
    merchant_id: MerchantId | None = None,
    campaign_id: CampaignId | None = None,
    name: str = "welcome",
    priority: int = 0,
    budget: Sequence[BudgetItem] = (),
    unlimited: frozenset[Asset] = frozenset(Asset),
    start_time: datetime | None = None,
    expire_time: datetime | None = None,
) -> Campaign:
    """An active campaign without limits."""
    campaign_id = campaign_id or CampaignId(uuid4())
    return Campaign(
        campaign_id=campaign_id,
        merchant_id=merchant_id or MerchantId(uuid4()),
        name=name,
        state=state,
        priority=priority,
        rule=rule or a_rule(),
        rule_version=1,
        units=UNITS,
        budget=tuple(_of_campaign(item, campaign_id) for item in budget),
        unlimited=unlimited,
        start_time=start_time,
        expire_time=expire_time,
        publish_time=None if state is CampaignState.DRAFT else PUBLISHED,
        create_time=PUBLISHED,
        update_time=PUBLISHED,
        version_time=PUBLISHED,
    )


def _of_campaign(item: BudgetItem, campaign_id: CampaignId) -> BudgetItem:
    return BudgetItem(
        budget_item_id=item.budget_item_id,
        campaign_id=campaign_id,
        label=item.label,
        asset=item.asset,
        unit=item.unit,
        limit=item.limit,
        window=item.window,
    )


def some_facts(
    *,
    event_time: datetime = ORDERED,
    person: IdentityGroupId | None = None,
    chain: Sequence[IdentityGroupId] = (),
    amount: str | None = "100.00",
    subtotal: str | None = None,
    has_lines: bool = False,
    currency: str = "EUR",
    context: Mapping[str, Any] | None = None,
    rates: Mapping[Pair, ExchangeRate] | None = None,
) -> EventFacts:
    """An order of a hundred euros by somebody whom nobody brought."""
    purchase = None
    if amount is not None:
        purchase = PurchaseFacts(
            amount=Decimal(amount),
            subtotal=None if subtotal is None else Decimal(subtotal),
            has_lines=has_lines,
            currency=currency,
        )
    return EventFacts(
        triggers=frozenset({Trigger.PURCHASE}),
        event_time=event_time,
        person=person or IdentityGroupId(uuid4()),
        chain=chain,
        purchase=purchase,
        context=context or {},
        rates=rates or {},
    )


# Numbers as a client's JSON spells them, and texts that a database stores.
_NUMBERS = (
    st.floats(min_value=-1e15, max_value=1e15)
    # What is nearer to zero has more digits than are taken.
    .filter(lambda number: number == 0 or abs(number) >= 1e-20)
    .map(lambda number: Decimal(repr(number)))
)
_NUMERIC_TEXTS = st.decimals(min_value=-(10**12), max_value=10**12, places=4, allow_nan=False).map(
    lambda number: format(number, "f")
)
_TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20)
_AMOUNTS = st.decimals(min_value=Decimal("0.000001"), max_value=10**9, places=TOKEN.decimals)
_PERCENTS = st.decimals(min_value=Decimal("0.000001"), max_value=100, places=6)
_UUIDS = st.uuids().flatmap(lambda each: st.sampled_from([str(each), str(each).upper()]))
_ADDRESSES = st.binary(min_size=20, max_size=20).flatmap(
    lambda each: st.sampled_from([f"0x{each.hex()}", to_checksum_address(each)])
)
_CURRENCIES = st.text(st.sampled_from("ABCDEFGHIJKLMNOPQRSTUVWXYZabc"), min_size=3, max_size=3)


def _whole(low: int, high: int) -> st.SearchStrategy[Scalar]:
    numbers = st.integers(min_value=low, max_value=high)
    return numbers.map(Decimal) | numbers.map(str)


VALUES: Mapping[FieldType, st.SearchStrategy[Scalar]] = {
    FieldType.AMOUNT: _NUMBERS.map(lambda number: round_half_even(abs(number), AMOUNT_DECIMALS_MAX))
    | _NUMERIC_TEXTS.map(lambda text: text.lstrip("-")),
    FieldType.NUMBER: _NUMBERS | _NUMERIC_TEXTS,
    **{kind: _whole(bounds.low, bounds.high) for kind, bounds in RANGES.items()},
    FieldType.DATE: st.dates(min_value=date(YEAR_MIN, 1, 1)).map(str),
    FieldType.CURRENCY: _CURRENCIES,
    FieldType.UUID: _UUIDS.filter(lambda text: not is_nobody(text)),
    FieldType.ADDRESS: _ADDRESSES.filter(lambda text: not is_nobody(text)),
    FieldType.SOURCE: st.sampled_from(SOURCES),
    FieldType.TEXT: _TEXTS.filter(lambda text: not is_absent(text))
    | st.integers(-(10**9), 10**9).map(Decimal),
}
"""Values of each type, in every spelling that is taken."""


@st.composite
def conditions(draw: st.DrawFn, *, has_purchase: bool = True) -> Condition:
    """Any question with values that are taken."""
    known = draw(
        st.sampled_from([each for each in EVENT_FIELDS if has_purchase or not each.of_purchase])
    )
    index = str(draw(st.integers(min_value=0, max_value=999)))
    field = ".".join(index if part == "N" else part for part in known.path.split("."))
    operator = draw(st.sampled_from(sorted(known.type.operators)))
    if operator in PRESENCE:
        return asks(field, operator)
    values = VALUES[known.type]
    if known.type is FieldType.TEXT and operator in ORDERING:
        values = values.filter(lambda value: isinstance(value, str))
    if operator in LISTED:
        return asks(field, operator, tuple(draw(st.lists(values, min_size=1, max_size=4))))
    if operator is Operator.BETWEEN:
        ends = draw(st.lists(values, min_size=2, max_size=2))
        low, high = sorted((to_form(known.type, each) for each in ends), key=_order)
        return asks(field, operator, low, high)
    return asks(field, operator, draw(values))


def _order(value: Scalar) -> Any:
    return value


def groups(*, has_purchase: bool = True) -> st.SearchStrategy[ConditionGroup]:
    """Groups of conditions and of groups."""

    def of(
        members: st.SearchStrategy[Condition | ConditionGroup],
    ) -> st.SearchStrategy[ConditionGroup]:
        return st.builds(
            ConditionGroup,
            logic=st.sampled_from(Logic),
            members=st.lists(members, max_size=4).map(tuple),
        )

    leaves: st.SearchStrategy[Condition | ConditionGroup] = conditions(has_purchase=has_purchase)
    return of(leaves) | of(leaves | of(leaves))


@st.composite
def definitions(draw: st.DrawFn, *, has_purchase: bool = True) -> RewardDefinition:
    """Any reward that can be saved."""
    recipient = draw(st.sampled_from(Recipient))
    amounts: st.SearchStrategy[FixedAmount | PercentageAmount] = st.builds(
        FixedAmount, amount=_AMOUNTS
    )
    if has_purchase:
        amounts |= st.builds(
            PercentageAmount,
            percent=_PERCENTS,
            percent_of=st.sampled_from(PercentOf),
            amount_max=st.none() | _AMOUNTS,
            amount_min=st.none() | _AMOUNTS,
        )
    return RewardDefinition(
        recipient=recipient,
        asset=draw(st.sampled_from(Asset)),
        amount=draw(amounts),
        chaining=draw(st.none() | chainings()) if recipient is Recipient.REFERRER else None,
        description=draw(_TEXTS),
    )


def chainings() -> st.SearchStrategy[Chaining]:
    """Any way to share along a chain."""
    percents = _PERCENTS | st.sampled_from([Decimal(0), Decimal(50), Decimal(100)])
    return st.builds(
        Chaining,
        user_percent=percents,
        level_percent=percents,
        depth_max=st.integers(min_value=1, max_value=20),
    )


@st.composite
def rules(draw: st.DrawFn) -> Rule:
    """Any rule whose parts can be saved. Its conditions may still exclude each other."""
    trigger = draw(st.sampled_from(Trigger))
    has_purchase = trigger.has_purchase
    return Rule(
        trigger=trigger,
        conditions=draw(groups(has_purchase=has_purchase)),
        rewards=tuple(
            draw(st.lists(definitions(has_purchase=has_purchase), min_size=1, max_size=3))
        ),
    )


def decided(campaign: Campaign, state: BudgetState = UNUSED, **facts: object) -> Decision:
    """What a campaign makes of an order of the buyer's."""
    decision, _ = decide(campaign, some_facts(person=BUYER, **facts), state)  # type: ignore[arg-type]  # those of some_facts
    return decision

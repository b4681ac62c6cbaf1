"""What a campaign pays, to whom, when: the values of a rule."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from domains.campaign.model.comparing import Choices
from vocabulary.amounts import DISCOUNT, POINTS, Unit

DEPTH_DEFAULT = 5
Scalar = Decimal | str | bool | None
Operand = Scalar | tuple[Scalar, ...]


class Trigger(StrEnum):
    """The event that a rule is about."""

    PURCHASE = "purchase"
    REFERRAL_PURCHASE = "referral_purchase"
    REFERRAL = "referral"

    @property
    def has_purchase(self) -> bool:
        return self is not Trigger.REFERRAL


class Logic(StrEnum):
    """How members of a group make one answer."""

    ALL = "all"
    ANY = "any"
    NONE = "none"


class Operator(StrEnum):
    """A question about a field."""

    EQ = "eq"
    NEQ = "neq"
    GT = "gt"
    GTE = "gte"
    LT = "lt"
    LTE = "lte"
    BETWEEN = "between"
    IN = "in"
    NOT_IN = "not_in"
    CONTAINS = "contains"
    STARTS_WITH = "starts_with"
    ENDS_WITH = "ends_with"
    EXISTS = "exists"
    NOT_EXISTS = "not_exists"


class Recipient(StrEnum):
    """Who is paid. Referee and user are the same person, spoken of differently."""

    REFERRER = "referrer"
    REFEREE = "referee"
    USER = "user"


class Asset(StrEnum):
    """What a reward is paid in."""

    TOKEN = "token"  # noqa: S105 - an asset, not a password
    DISCOUNT = "discount"
    POINTS = "points"


class PercentOf(StrEnum):
    """What a percentage is taken of."""

    PURCHASE_AMOUNT = "purchase_amount"
    PURCHASE_SUBTOTAL = "purchase_subtotal"


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """One question. `value` is a tuple for IN and NOT_IN; `value_to` is for BETWEEN alone."""

    field: str
    operator: Operator
    value: Operand = None
    value_to: Scalar = None
    _choices: Choices | None = dataclasses.field(
        init=False, default=None, repr=False, compare=False
    )

    @property
    def choices(self) -> Choices:
        """What IN and NOT_IN ask, made once and when it is asked first: by whoever decides."""
        if self._choices is None:
            values = self.value if isinstance(self.value, tuple) else ()
            object.__setattr__(self, "_choices", Choices(values))
        assert self._choices is not None
        return self._choices


@dataclass(frozen=True, slots=True, kw_only=True)
class ConditionGroup:
    """Several conditions under one logic."""

    logic: Logic = Logic.ALL
    members: tuple[Condition | ConditionGroup, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class FixedAmount:
    """Always the same, in whole units."""

    amount: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class PercentageAmount:
    """A part of the order. `percent` is above 0, up to 100; the limits are in whole units."""

    percent: Decimal
    percent_of: PercentOf = PercentOf.PURCHASE_AMOUNT
    amount_max: Decimal | None = None
    amount_min: Decimal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Chaining:
    """How an amount is shared between the buyer and the people above. Percents, 0 to 100."""

    user_percent: Decimal
    level_percent: Decimal
    depth_max: int = DEPTH_DEFAULT


@dataclass(frozen=True, slots=True, kw_only=True)
class RewardDefinition:
    """One thing that is paid."""

    recipient: Recipient
    asset: Asset
    amount: FixedAmount | PercentageAmount
    chaining: Chaining | None = None
    description: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What is paid, to whom, when."""

    trigger: Trigger
    conditions: ConditionGroup
    rewards: tuple[RewardDefinition, ...]

    @property
    def chain_depth(self) -> int:
        """How far up the referral chain the rule pays."""
        return max(
            (
                reward.chaining.depth_max if reward.chaining else 1
                for reward in self.rewards
                if reward.recipient is Recipient.REFERRER
            ),
            default=0,
        )

    @property
    def assets(self) -> frozenset[Asset]:
        return frozenset(reward.asset for reward in self.rewards)


@dataclass(frozen=True, slots=True, kw_only=True)
class RewardUnits:
    """In what a merchant's assets are counted; one whole unit is worth one of `peg_currency`."""

    token: Unit
    peg_currency: str

    def of(self, asset: Asset) -> Unit:
        match asset:
            case Asset.TOKEN:
                return self.token
            case Asset.DISCOUNT:
                return DISCOUNT
            case Asset.POINTS:
                return POINTS


def conditions_of(group: ConditionGroup, path: str) -> Iterator[tuple[str, Condition]]:
    """Every condition of a group with its path, depth first."""
    for index, member in enumerate(group.members):
        here = f"{path}[{index}]"
        if isinstance(member, ConditionGroup):
            yield from conditions_of(member, f"{here}.group.conditions")
        else:
            yield f"{here}.condition", member

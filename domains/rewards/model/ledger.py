"""Double entry: every amount leaves one account and enters another.

A balance is credits less debits. `campaign_granted` is a contra account: never above zero,
never funded. Every other kind is never below zero.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID, uuid5

from vocabulary.amounts import Unit
from vocabulary.ids import AccountId, MerchantId, RewardId, TransferId

_ACCOUNTS = UUID("9d0a1c4e-3f5b-4a52-8a57-0a2f6a7f4b11")


class AccountKind(StrEnum):
    """What an account holds. The owner is the campaign of the first, a person of the second."""

    CAMPAIGN_GRANTED = "campaign_granted"
    RECIPIENT_PENDING = "recipient_pending"


class TransferKind(StrEnum):
    """Why an amount moved."""

    GRANT = "grant"
    REFUND = "refund"


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Where one owner's amounts of one kind and unit stand at one merchant."""

    merchant_id: MerchantId
    kind: AccountKind
    owner: UUID
    unit: Unit

    @property
    def account_id(self) -> AccountId:
        """Follows from what the account is (UUIDv5), so that nobody has to look it up."""
        name = f"{self.merchant_id}/{self.kind}/{self.owner}/{self.unit.key}"
        return AccountId(uuid5(_ACCOUNTS, name))


@dataclass(frozen=True, slots=True, kw_only=True)
class Posting:
    """One transfer. (kind, cause_id, reward_id) happens once, ever."""

    transfer_id: TransferId
    kind: TransferKind
    cause_id: UUID
    reward_id: RewardId
    debit: Account
    credit: Account
    base_units: int

    def __post_init__(self) -> None:
        assert self.base_units > 0, self
        assert self.debit.merchant_id == self.credit.merchant_id, self
        assert self.debit.unit == self.credit.unit, self


def granting(
    *,
    transfer_id: TransferId,
    reward_id: RewardId,
    campaign: Account,
    person: Account,
    base_units: int,
) -> Posting:
    """A campaign grants a reward."""
    return Posting(
        transfer_id=transfer_id,
        kind=TransferKind.GRANT,
        cause_id=reward_id,
        reward_id=reward_id,
        debit=campaign,
        credit=person,
        base_units=base_units,
    )

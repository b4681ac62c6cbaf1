"""The ledger in SQL."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.types import Numeric, SmallInteger, Text, Uuid

from domains.rewards.model import Account, AccountKind, Posting
from infrastructure.database.transaction import Transaction
from vocabulary.amounts import TokenAmount, Unit
from vocabulary.ids import IdentityGroupId, MerchantId

_ADD_UNITS = text(
    """
    INSERT INTO ledger_unit (merchant_id, unit, decimals)
    SELECT * FROM unnest(:merchant_ids, :units, :decimals)
    ON CONFLICT DO NOTHING
    """
).bindparams(
    bindparam("merchant_ids", type_=ARRAY(Uuid)),
    bindparam("units", type_=ARRAY(Text)),
    bindparam("decimals", type_=ARRAY(SmallInteger)),
)
_ADD_ACCOUNTS = text(
    """
    INSERT INTO account (account_id, merchant_id, unit, kind, owner)
    SELECT * FROM unnest(:account_ids, :merchant_ids, :units, :kinds, :owners) AS made (account_id)
    ORDER BY made.account_id
    ON CONFLICT DO NOTHING
    """
).bindparams(
    bindparam("account_ids", type_=ARRAY(Uuid)),
    bindparam("merchant_ids", type_=ARRAY(Uuid)),
    bindparam("units", type_=ARRAY(Text)),
    bindparam("kinds", type_=ARRAY(Text)),
    bindparam("owners", type_=ARRAY(Uuid)),
)
# The rows are locked in the order of their ids before any is changed: an UPDATE joined to the
# list locks in whatever order the plan has, and two of them deadlock.
_MOVE = text(
    """
    WITH moved AS (
        SELECT * FROM unnest(:account_ids, :deltas) AS moved (account_id, delta)
    ), locked AS MATERIALIZED (
        SELECT account.account_id FROM account
        WHERE account.account_id = ANY(:account_ids)
        ORDER BY account.account_id
        FOR NO KEY UPDATE
    )
    UPDATE account SET balance = account.balance + moved.delta
    FROM locked JOIN moved USING (account_id)
    WHERE account.account_id = locked.account_id
    """
).bindparams(bindparam("account_ids", type_=ARRAY(Uuid)), bindparam("deltas", type_=ARRAY(Numeric)))
_BALANCES = text(
    """
    SELECT account.merchant_id, account.kind, account.unit, account.balance, ledger_unit.decimals
    FROM account JOIN ledger_unit USING (merchant_id, unit)
    WHERE owner = :owner AND kind = :kind AND balance <> 0
      AND (CAST(:after_merchant AS uuid) IS NULL
           OR (account.merchant_id, account.unit) > (:after_merchant, CAST(:after_unit AS text)))
    ORDER BY account.merchant_id, account.unit
    LIMIT :limit
    """
)
_TRANSFER_COLUMNS = (
    "transfer_id",
    "merchant_id",
    "unit",
    "debit",
    "credit",
    "base_units",
    "kind",
    "cause_id",
    "reward_id",
    "create_time",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Balance:
    """What a person has at one merchant in one unit."""

    merchant_id: MerchantId
    amount: TokenAmount


class LedgerRepository:
    async def post(self, tx: Transaction, postings: Sequence[Posting], *, now: datetime) -> None:
        """Writes transfers and the balances that follow from them, in a few statements.

        Accounts and units that are new are made. A cause that happened before ends the
        transaction: its effect is there already, and a second one would be a bug.
        """
        if not postings:
            return
        accounts: dict[Account, UUID] = {}
        deltas: dict[UUID, int] = {}
        rows = []
        for posting in postings:
            sides = []
            for account, sign in ((posting.debit, -1), (posting.credit, 1)):
                account_id = accounts.get(account)
                if account_id is None:
                    account_id = accounts[account] = account.account_id
                deltas[account_id] = deltas.get(account_id, 0) + sign * posting.base_units
                sides.append(account_id)
            rows.append(
                (
                    posting.transfer_id,
                    posting.debit.merchant_id,
                    posting.debit.unit.key,
                    *sides,
                    Decimal(posting.base_units),
                    posting.kind.value,
                    posting.cause_id,
                    posting.reward_id,
                    now,
                )
            )
        await self._add_accounts(tx, accounts)
        await tx.execute(
            _MOVE,
            {
                "account_ids": list(deltas),
                "deltas": [Decimal(delta) for delta in deltas.values()],
            },
        )
        await tx.copy("transfer", _TRANSFER_COLUMNS, rows)

    async def add_units(
        self, tx: Transaction, merchant_id: MerchantId, units: Sequence[Unit]
    ) -> None:
        """Makes units known at a merchant. One that is known keeps its decimals."""
        await tx.execute(
            _ADD_UNITS,
            {
                "merchant_ids": [merchant_id] * len(units),
                "units": [unit.key for unit in units],
                "decimals": [unit.decimals for unit in units],
            },
        )

    async def _add_accounts(self, tx: Transaction, accounts: dict[Account, UUID]) -> None:
        await tx.execute(
            _ADD_ACCOUNTS,
            {
                "account_ids": list(accounts.values()),
                "merchant_ids": [account.merchant_id for account in accounts],
                "units": [account.unit.key for account in accounts],
                "kinds": [account.kind.value for account in accounts],
                "owners": [account.owner for account in accounts],
            },
        )

    async def list_balances(
        self,
        tx: Transaction,
        identity_group_id: IdentityGroupId,
        *,
        after: tuple[UUID, str] | None,
        limit: int,
    ) -> Sequence[Balance]:
        """What a person has pending, by merchant, then unit."""
        rows = await tx.execute(
            _BALANCES,
            {
                "owner": identity_group_id,
                "kind": AccountKind.RECIPIENT_PENDING,
                "after_merchant": after[0] if after else None,
                "after_unit": after[1] if after else None,
                "limit": limit,
            },
        )
        return [
            Balance(
                merchant_id=MerchantId(row.merchant_id),
                amount=TokenAmount(
                    unit=Unit(key=row.unit, decimals=row.decimals), base_units=int(row.balance)
                ),
            )
            for row in rows
        ]

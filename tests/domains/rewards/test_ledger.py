"""The ledger on PostgreSQL: what leaves one account enters another, once."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from domains.rewards.model import Account, AccountKind, Posting
from domains.rewards.model.ledger import granting
from domains.rewards.repository import LedgerRepository
from infrastructure.database.transaction import Database, Transaction
from tests.support.connections import holding
from tests.support.races import beside
from vocabulary.amounts import DISCOUNT, POINTS, Unit
from vocabulary.ids import IdentityGroupId, MerchantId, RewardId, TransferId

NOW = datetime(2025, 3, 1, 12, tzinfo=UTC)
SHOP = MerchantId(uuid4())
_MAKE = """
    INSERT INTO account (account_id, merchant_id, unit, kind, owner)
    VALUES (:account_id, :merchant_id, :unit, :kind, :owner)
"""

ledger = LedgerRepository()


def an_account(kind: AccountKind, unit: Unit = POINTS, owner: UUID | None = None) -> Account:
    return Account(merchant_id=SHOP, kind=kind, owner=owner or uuid4(), unit=unit)


def a_grant(campaign: Account, person: Account, base_units: int) -> Posting:
    return granting(
        transfer_id=TransferId(uuid4()),
        reward_id=RewardId(uuid4()),
        campaign=campaign,
        person=person,
        base_units=base_units,
    )


def some_accounts() -> tuple[Account, Account]:
    """A campaign's and a person's account: the one whose id is the lower one is the campaign's."""
    while True:
        campaign = an_account(AccountKind.CAMPAIGN_GRANTED)
        person = an_account(AccountKind.RECIPIENT_PENDING)
        if campaign.account_id < person.account_id:
            return campaign, person


async def post(tx: Transaction, *postings: Posting) -> None:
    await ledger.add_units(tx, SHOP, [POINTS, DISCOUNT])
    await ledger.post(tx, postings, now=NOW)


async def balance_of(tx: Transaction, account: Account) -> int:
    found = await tx.execute(
        text("SELECT balance FROM account WHERE account_id = :account_id"),
        {"account_id": account.account_id},
    )
    return int(found.scalar_one())


async def balances_of(tx: Transaction, owner: UUID) -> Sequence[tuple[str, int]]:
    found = await ledger.list_balances(tx, IdentityGroupId(owner), after=None, limit=10)
    return [(each.amount.unit.key, each.amount.base_units) for each in found]


async def test_a_grant_is_owed_by_the_campaign_to_the_person(database: Database) -> None:
    """People would owe what they earned, or it would come from nowhere."""
    campaign, person = some_accounts()
    other = an_account(AccountKind.RECIPIENT_PENDING)
    async with database.transaction() as tx:
        await post(tx, a_grant(campaign, person, 5), a_grant(campaign, person, 7))
        await post(tx, a_grant(campaign, other, 1))

        assert await balance_of(tx, campaign) == -13
        assert await balances_of(tx, person.owner) == [("points", 12)]
        assert await balances_of(tx, other.owner) == [("points", 1)]


async def test_each_unit_has_an_account_of_its_own_and_an_empty_one_is_not_shown(
    database: Database,
) -> None:
    """Points would be paid out as discounts."""
    campaign, person = some_accounts()
    discounts = replace(campaign, unit=DISCOUNT), replace(person, unit=DISCOUNT)
    async with database.transaction() as tx:
        await post(tx, a_grant(campaign, person, 5), a_grant(*discounts, 7))
        assert await balances_of(tx, person.owner) == [("discount", 7), ("points", 5)]

        grant = a_grant(campaign, person, 5)
        await post(tx, replace(grant, debit=person, credit=campaign))

        assert await balances_of(tx, person.owner) == [("discount", 7)]


async def test_a_cause_moves_an_amount_once(database: Database) -> None:
    """A worker that comes twice would pay twice."""
    campaign, person = some_accounts()
    grant = a_grant(campaign, person, 5)
    async with database.transaction() as tx:
        await post(tx, grant)
        with pytest.raises(Exception, match="uq_transfer_cause"):
            async with tx.savepoint():
                await post(tx, replace(grant, transfer_id=TransferId(uuid4())))
        assert await balance_of(tx, person) == 5


async def test_nobody_owes_who_was_never_paid(database: Database) -> None:
    """A mistake in a refund would leave a person in debt."""
    campaign, person = some_accounts()
    grant = a_grant(campaign, person, 5)
    async with database.transaction() as tx:
        with pytest.raises(DBAPIError, match="balance_on_its_side"):
            async with tx.savepoint():
                await post(tx, replace(grant, debit=person, credit=campaign))


async def test_a_unit_keeps_the_decimals_that_it_was_first_used_with(database: Database) -> None:
    """Every balance would be another amount once a merchant mistypes its token."""
    async with database.transaction() as tx:
        await ledger.add_units(tx, SHOP, [POINTS])
        await ledger.add_units(tx, SHOP, [replace(POINTS, decimals=18)])
        found = await tx.execute(
            text("SELECT decimals FROM ledger_unit WHERE merchant_id = :id"), {"id": SHOP}
        )
        assert found.scalar_one() == POINTS.decimals


async def test_accounts_are_locked_in_the_order_of_their_ids(
    engine: AsyncEngine, real_database: Database
) -> None:
    """Two that move amounts between the same accounts would each wait for the other."""
    campaign, person = some_accounts()
    async with real_database.transaction() as tx:
        await post(tx, a_grant(campaign, person, 1))

    async def post_more() -> None:
        async with real_database.transaction() as tx:
            # The higher one is named first.
            more = a_grant(campaign, person, 1)
            await ledger.post(tx, [replace(more, debit=person, credit=campaign)], now=NOW)

    async with holding(
        engine,
        "SELECT 1 FROM account WHERE account_id = :id FOR NO KEY UPDATE",
        id=campaign.account_id,
    ) as holder:
        posting = beside(post_more())
        await holder.until_awaited()
        free = await holder.connection.execute(
            text("SELECT 1 FROM account WHERE account_id = :id FOR NO KEY UPDATE SKIP LOCKED"),
            {"id": person.account_id},
        )
        assert free.first() is not None
    await posting


async def test_accounts_are_made_in_the_order_of_their_ids(
    engine: AsyncEngine, real_database: Database
) -> None:
    """Two that pay the same people for the first time would each wait for the other."""
    campaign, person = some_accounts()
    async with real_database.transaction() as tx:
        await ledger.add_units(tx, SHOP, [POINTS])

    def row_of(account: Account) -> dict[str, object]:
        return {
            "account_id": account.account_id,
            "merchant_id": SHOP,
            "unit": account.unit.key,
            "kind": account.kind.value,
            "owner": account.owner,
        }

    async def post_first() -> None:
        async with real_database.transaction() as tx:
            grant = a_grant(campaign, person, 1)
            # The higher one is named first; it fails, because there is nothing to take back.
            await ledger.post(tx, [replace(grant, debit=person, credit=campaign)], now=NOW)

    async with holding(engine, _MAKE, **row_of(campaign)) as holder:
        posting = beside(post_first())
        await holder.until_awaited()
        # Nobody has made the other one yet, so nobody is waited for.
        async with asyncio.timeout(5):
            await holder.connection.execute(text(_MAKE), row_of(person))
    with pytest.raises(DBAPIError, match="balance_on_its_side"):
        await posting

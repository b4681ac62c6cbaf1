"""Wallets that are connected at the same time, on real connections."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from contextlib import suppress
from contextvars import copy_context
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import text

from domains.identity.errors import IdentityError, WalletConflictError, WalletTakenError
from domains.identity.model import IdentityGroup
from domains.identity.repository import IdentityRepository
from domains.identity.service import IdentityService
from domains.identity.servicer import IdentityServicer
from guerdon.identity.v1 import identity_pb2
from infrastructure.database.transaction import Database, Transaction
from tests.support.identity import FIRST_SEEN, OTHER_WALLET, WALLET, KnownCustomers, add_group
from vocabulary.ids import IdentityGroupId, IdentityNodeId

ROUNDS = 25
_SOMEBODY_WAITS_FOR_US = text(
    """
    SELECT EXISTS (
        SELECT FROM pg_locks WHERE NOT granted AND pg_backend_pid() = ANY (pg_blocking_pids(pid)))
    """
)


class GivingUpError(Exception):
    """Rolls a transaction back."""


service = IdentityService(identities=IdentityRepository(), customers=KnownCustomers())


async def connect(tx: Transaction, group_id: IdentityGroupId, wallet: str) -> IdentityGroup:
    return await service.connect_wallet(
        tx, group_id, wallet, identity_node_id=IdentityNodeId(uuid4()), now=FIRST_SEEN
    )


async def connect_alone(
    database: Database, group_id: IdentityGroupId, wallet: str
) -> IdentityGroup:
    async with database.transaction() as tx:
        return await connect(tx, group_id, wallet)


async def until_awaited(tx: Transaction) -> None:
    """Returns once another transaction waits for this one."""
    async with asyncio.timeout(5):
        while not (await tx.execute(_SOMEBODY_WAITS_FOR_US)).scalar_one():
            pass


async def while_first_is_open(
    database: Database,
    group_id: IdentityGroupId,
    wallet: str,
    *,
    second: tuple[IdentityGroupId, str],
    commits: bool,
) -> asyncio.Task[IdentityGroup]:
    """The second call, made while the first had its row and had not committed."""
    # Copied before the first transaction is open: the second is not inside of it.
    fresh = copy_context()
    with suppress(GivingUpError):
        async with database.transaction() as tx:
            await connect(tx, group_id, wallet)
            task = asyncio.get_running_loop().create_task(
                connect_alone(database, *second), context=fresh
            )
            await until_awaited(tx)
            if not commits:
                raise GivingUpError
    await asyncio.wait([task], timeout=5)
    return task


async def test_the_second_wallet_waits_and_is_refused(real_database: Database) -> None:
    """A group would get two wallets, or the second caller a failure instead of a refusal."""
    async with real_database.transaction() as tx:
        group = await add_group(tx)

    second = await while_first_is_open(
        real_database, group, WALLET, second=(group, OTHER_WALLET), commits=True
    )

    with pytest.raises(WalletConflictError):
        second.result()


async def test_the_second_group_waits_and_is_refused(real_database: Database) -> None:
    """A wallet would get two groups, or the second caller a failure instead of a refusal."""
    async with real_database.transaction() as tx:
        one, other = await add_group(tx), await add_group(tx)

    second = await while_first_is_open(
        real_database, one, WALLET, second=(other, WALLET), commits=True
    )

    with pytest.raises(WalletTakenError):
        second.result()


async def test_the_same_call_waits_and_agrees(real_database: Database) -> None:
    """A person who taps twice would be told that their own wallet is somebody else's."""
    async with real_database.transaction() as tx:
        group = await add_group(tx)

    second = await while_first_is_open(
        real_database, group, WALLET, second=(group, WALLET), commits=True
    )

    assert second.result().wallet == WALLET


async def test_what_was_rolled_back_stands_in_nobody_s_way(real_database: Database) -> None:
    """A call that failed half-way would keep a wallet from its owner."""
    async with real_database.transaction() as tx:
        one, other = await add_group(tx), await add_group(tx)

    second = await while_first_is_open(
        real_database, one, WALLET, second=(other, WALLET), commits=False
    )

    assert second.result().identity_group_id == other
    async with real_database.single() as tx:
        assert await service.wallets_of(tx, [one, other]) == {other: WALLET}


async def test_at_every_pace_one_wallet_wins_and_the_others_are_told(
    real_database: Database,
) -> None:
    """Four calls at once, each way of colliding: two wallets in one group, one wallet in two
    groups, or a caller who gets neither an answer nor a refusal.
    """
    servicer = IdentityServicer(
        database=real_database, identity=service, clock=lambda: FIRST_SEEN, new_id=uuid4
    )
    for turn in range(ROUNDS):
        async with real_database.transaction() as tx:
            groups = [await add_group(tx), await add_group(tx)]
        wallets = [f"0x{turn:039x}{side}" for side in (1, 2)]
        start = asyncio.Barrier(4)

        async def call(
            group: IdentityGroupId, wallet: str, start: asyncio.Barrier = start
        ) -> tuple[IdentityGroupId, str] | None:
            await start.wait()
            request = identity_pb2.ConnectWalletRequest(
                identity_group_id=str(group), wallet_address=wallet
            )
            try:
                response = await servicer.ConnectWallet(request, None)
            except IdentityError:
                return None
            assert response.identity_group.wallet_address == wallet
            return group, wallet

        outcomes = await all_of([call(group, wallet) for group in groups for wallet in wallets])

        connected = dict(each for each in outcomes if each is not None)
        async with real_database.single() as tx:
            assert await service.wallets_of(tx, groups) == connected
        assert len(set(connected.values())) == len(connected) > 0


async def all_of(calls: list[Awaitable[Any]]) -> list[Any]:
    async with asyncio.timeout(5):
        return await asyncio.gather(*calls)

"""The use cases of people, on PostgreSQL."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from sqlalchemy.exc import IntegrityError

from domains.identity.errors import (
    GroupNotFoundError,
    NodeNotFoundError,
    WalletAddressInvalidError,
    WalletConflictError,
    WalletTakenError,
)
from domains.identity.model import IdentityGroup, NodeKind
from domains.identity.repository import IdentityRepository
from domains.identity.service import IdentityService
from infrastructure.database.transaction import Database, Transaction
from tests.support.identity import (
    FIRST_SEEN,
    OTHER_WALLET,
    WALLET,
    KnownCustomers,
    a_client,
    a_wallet,
    add_group,
    add_node,
)
from vocabulary.ids import IdentityGroupId, IdentityNodeId, MerchantId

LATER = FIRST_SEEN + timedelta(days=1)
CHECKSUMMED = "0x52908400098527886E0F7030069857D2E4169EE7"

service = IdentityService(identities=IdentityRepository(), customers=KnownCustomers())


async def connect(
    tx: Transaction, group_id: IdentityGroupId, wallet: str = WALLET
) -> IdentityGroup:
    return await service.connect_wallet(
        tx, group_id, wallet, identity_node_id=IdentityNodeId(uuid4()), now=LATER
    )


async def test_a_group_is_returned_with_its_wallet_or_without(database: Database) -> None:
    """A reward would wait for a wallet that is there, or go to one that is not."""
    async with database.transaction() as tx:
        without = await add_group(tx)
        await add_node(tx, a_client(without))
        having = await add_group(tx, wallet=WALLET)
        await add_node(tx, a_client(having))

        assert (await service.get(tx, without)).wallet is None
        assert await service.get(tx, having) == IdentityGroup(
            identity_group_id=having, wallet=WALLET, create_time=FIRST_SEEN
        )


async def test_an_unknown_group_is_refused_by_its_id(database: Database) -> None:
    """Reading a group that is not there would fail as if we had a bug."""
    nobody = IdentityGroupId(uuid4())
    async with database.transaction() as tx:
        with pytest.raises(GroupNotFoundError) as refused:
            await service.get(tx, nobody)

    assert refused.value.metadata == {"identity_group_id": str(nobody)}


async def test_a_client_is_somebody_at_its_merchant_only(database: Database) -> None:
    """A shop could ask who its visitors are elsewhere, and people would be mixed up."""
    here, there = MerchantId(uuid4()), MerchantId(uuid4())
    async with database.transaction() as tx:
        at_one, at_other = await add_group(tx, wallet=WALLET), await add_group(tx)
        await add_node(tx, a_client(at_one, value="browser", merchant_id=here))
        await add_node(tx, a_client(at_other, value="browser", merchant_id=there))

        found = await service.resolve(tx, NodeKind.CLIENT, "browser", merchant_id=here)
        assert (found.identity_group_id, found.wallet) == (at_one, WALLET)
        found = await service.resolve(tx, NodeKind.CLIENT, "browser", merchant_id=there)
        assert (found.identity_group_id, found.wallet) == (at_other, None)


@pytest.mark.parametrize(
    ("kind", "value"), [(NodeKind.CUSTOMER, "browser"), (NodeKind.CLIENT, "Browser")]
)
async def test_what_nobody_was_seen_with_is_nobody_s(
    database: Database, kind: NodeKind, value: str
) -> None:
    """A customer number that equals a client id would be taken for that person."""
    here = MerchantId(uuid4())
    async with database.transaction() as tx:
        group = await add_group(tx)
        await add_node(tx, a_client(group, value="browser", merchant_id=here))

        with pytest.raises(NodeNotFoundError) as refused:
            await service.resolve(tx, kind, value, merchant_id=here)

    # A client id is a secret, so the refusal does not repeat it.
    assert refused.value.metadata == {}


async def test_a_wallet_is_found_in_either_spelling(database: Database) -> None:
    """A referrer whose link spells the wallet with its checksum would get nothing."""
    async with database.transaction() as tx:
        owner = await add_group(tx, wallet=WALLET)

        for spelling in (WALLET, CHECKSUMMED):
            found = await service.resolve(tx, NodeKind.WALLET, spelling, merchant_id=None)
            assert (found.identity_group_id, found.wallet) == (owner, WALLET)
        with pytest.raises(NodeNotFoundError):
            await service.resolve(tx, NodeKind.WALLET, OTHER_WALLET, merchant_id=None)
        with pytest.raises(WalletAddressInvalidError) as refused:
            await service.resolve(tx, NodeKind.WALLET, "browser", merchant_id=None)

    assert refused.value.field == "value"


async def test_identifiers_come_oldest_first_and_only_the_group_s(database: Database) -> None:
    """A page would skip identifiers, repeat them or show another person's."""
    async with database.transaction() as tx:
        group, stranger = await add_group(tx), await add_group(tx)
        nodes = [
            a_wallet(group, identity_node_id=UUID(int=2)),
            a_client(group, identity_node_id=UUID(int=3)),
            a_client(group, identity_node_id=UUID(int=5)),
        ]
        for node in [*reversed(nodes), a_client(stranger, identity_node_id=UUID(int=4))]:
            await add_node(tx, node)

        assert await service.list_nodes(tx, group, after=None, limit=9) == nodes
        assert await service.list_nodes(tx, group, after=None, limit=2) == nodes[:2]
        after = nodes[0].identity_node_id
        assert await service.list_nodes(tx, group, after=after, limit=9) == nodes[1:]
        after = nodes[2].identity_node_id
        assert await service.list_nodes(tx, group, after=after, limit=9) == []


async def test_a_group_without_identifiers_is_not_an_unknown_one(database: Database) -> None:
    """A list would say that somebody does not exist, or that nobody has no identifiers."""
    async with database.transaction() as tx:
        group = await add_group(tx)

        assert await service.list_nodes(tx, group, after=None, limit=9) == []
        with pytest.raises(GroupNotFoundError):
            await service.list_nodes(tx, IdentityGroupId(uuid4()), after=None, limit=9)


async def test_a_connected_wallet_is_the_group_s(database: Database) -> None:
    """Rewards would go on waiting for a wallet that the person has shown."""
    async with database.transaction() as tx:
        group = await add_group(tx)

        connected = await connect(tx, group, CHECKSUMMED)

        assert connected == IdentityGroup(
            identity_group_id=group, wallet=WALLET, create_time=FIRST_SEEN
        )
        assert await service.get(tx, group) == connected
        [node] = await service.list_nodes(tx, group, after=None, limit=9)
        assert (node.kind, node.value, node.create_time) == (NodeKind.WALLET, WALLET, LATER)


async def test_connecting_twice_is_connecting_once(database: Database) -> None:
    """A person who logs in again would be refused, or get a second node."""
    async with database.transaction() as tx:
        group = await add_group(tx)

        first = await connect(tx, group)
        again = await connect(tx, group, CHECKSUMMED)

        assert again == first
        assert len(await service.list_nodes(tx, group, after=None, limit=9)) == 1


async def test_a_group_keeps_its_wallet(database: Database) -> None:
    """Whoever logs in on a shared browser would take over the rewards of the one before."""
    async with database.transaction() as tx:
        group = await add_group(tx, wallet=WALLET)
        await add_group(tx, wallet="0x" + "1" * 40)

        # Another person's wallet is refused for the same reason as a free one.
        for wallet in (OTHER_WALLET, "0x" + "1" * 40):
            with pytest.raises(WalletConflictError) as refused:
                await connect(tx, group, wallet)
            assert refused.value.metadata == {"identity_group_id": str(group)}
        assert (await service.get(tx, group)).wallet == WALLET


async def test_a_wallet_keeps_its_group(database: Database) -> None:
    """One wallet would collect the rewards of two people, and caps would be walked around."""
    async with database.transaction() as tx:
        owner, other = await add_group(tx, wallet=WALLET), await add_group(tx)

        with pytest.raises(WalletTakenError) as refused:
            await connect(tx, other)

        assert refused.value.metadata == {"wallet_address": WALLET}
        assert (await service.get(tx, owner)).wallet == WALLET
        assert (await service.get(tx, other)).wallet is None


async def test_a_wallet_needs_a_group_and_a_checksum(database: Database) -> None:
    """A wallet would be kept for nobody, or a mistyped one for somebody."""
    async with database.transaction() as tx:
        group = await add_group(tx, wallet=WALLET)

        with pytest.raises(GroupNotFoundError):
            await connect(tx, IdentityGroupId(uuid4()), OTHER_WALLET)
        with pytest.raises(GroupNotFoundError):
            await connect(tx, IdentityGroupId(uuid4()), WALLET)
        with pytest.raises(WalletAddressInvalidError) as refused:
            await connect(tx, group, CHECKSUMMED.replace("E", "e", 1))

    assert refused.value.field == "wallet_address"


async def test_wallets_come_for_whoever_has_one(database: Database) -> None:
    """A batch of rewards would be paid to the wrong wallet, or to a client id."""
    async with database.transaction() as tx:
        one = await add_group(tx, wallet=WALLET)
        other = await add_group(tx, wallet=OTHER_WALLET)
        without = await add_group(tx)
        await add_node(tx, a_client(one))
        await add_node(tx, a_client(without))
        await add_group(tx, wallet="0x" + "1" * 40)

        asked = [one, without, other, one, IdentityGroupId(uuid4())]
        assert await service.wallets_of(tx, asked) == {one: WALLET, other: OTHER_WALLET}
        assert await service.wallets_of(tx, []) == {}


async def test_the_tables_refuse_what_the_model_calls_impossible(database: Database) -> None:
    """A statement with a mistake could give a wallet two people, or a person two wallets."""
    async with database.transaction() as tx:
        one, other = await add_group(tx, wallet=WALLET), await add_group(tx)
    for node, constraint in (
        (a_wallet(other), "uq_identity_node_identifier"),
        (a_wallet(one, value=OTHER_WALLET), "uq_identity_node_wallet"),
    ):
        with pytest.raises(IntegrityError, match=constraint):
            async with database.transaction() as tx:
                await add_node(tx, node)

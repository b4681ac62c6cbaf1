"""The use cases of people."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID

from domains.identity.errors import (
    GroupNotFoundError,
    NodeNotFoundError,
    WalletConflictError,
    WalletTakenError,
)
from domains.identity.model import IdentityGroup, IdentityNode, NodeKind, normalize_wallet
from domains.identity.ports import Customers
from domains.identity.repository import IdentityRepository
from infrastructure.database.transaction import Transaction
from vocabulary.ids import IdentityGroupId, IdentityNodeId, MerchantId


class IdentityService:
    def __init__(self, *, identities: IdentityRepository, customers: Customers) -> None:
        self._identities = identities
        self._customers = customers

    async def get(self, tx: Transaction, identity_group_id: IdentityGroupId) -> IdentityGroup:
        """One group.

        Raises:
            GroupNotFoundError: there is none with this id.
        """
        found = await self._identities.find(tx, identity_group_id)
        if found is None:
            raise GroupNotFoundError(identity_group_id)
        return found

    async def resolve(
        self, tx: Transaction, kind: NodeKind, value: str, *, merchant_id: MerchantId | None
    ) -> IdentityGroup:
        """The group that an identifier belongs to. Creates nothing.

        `merchant_id` is None for a wallet, and only then.

        Raises:
            NodeNotFoundError: nobody has been seen with this identifier.
            WalletAddressInvalidError: the kind is a wallet, and the value is no address.
        """
        assert (kind is NodeKind.WALLET) == (merchant_id is None), kind
        if kind is NodeKind.CUSTOMER:
            assert merchant_id is not None
            found = await self._find_customer(tx, merchant_id, value)
        else:
            if kind is NodeKind.WALLET:
                value = normalize_wallet(value, field="value")
            found = await self._identities.find_by_identifier(tx, kind, value, merchant_id)
        if found is None:
            raise NodeNotFoundError
        return found

    async def _find_customer(
        self, tx: Transaction, merchant_id: MerchantId, customer_reference: str
    ) -> IdentityGroup | None:
        group_id = await self._customers.find_customer(tx, merchant_id, customer_reference)
        return None if group_id is None else await self._identities.find(tx, group_id)

    async def list_nodes(
        self,
        tx: Transaction,
        identity_group_id: IdentityGroupId,
        *,
        after: UUID | None,
        limit: int,
    ) -> Sequence[IdentityNode]:
        """Up to `limit` identifiers of a group, oldest first, from the one after `after`.

        Raises:
            GroupNotFoundError: there is no such group.
        """
        nodes = await self._identities.list_nodes(tx, identity_group_id, after=after, limit=limit)
        if nodes is None:
            raise GroupNotFoundError(identity_group_id)
        return nodes

    async def connect_wallet(
        self,
        tx: Transaction,
        identity_group_id: IdentityGroupId,
        wallet_address: str,
        *,
        identity_node_id: IdentityNodeId,
        now: datetime,
    ) -> IdentityGroup:
        """Gives a group its wallet. Doing it twice is doing it once.

        `identity_node_id` becomes the id of the wallet's node, if one is added.

        Raises:
            WalletAddressInvalidError: it is no address.
            GroupNotFoundError: there is no such group.
            WalletConflictError: the group has another wallet.
            WalletTakenError: the wallet belongs to another group.
        """
        wallet = IdentityNode(
            identity_node_id=identity_node_id,
            identity_group_id=identity_group_id,
            kind=NodeKind.WALLET,
            value=normalize_wallet(wallet_address, field="wallet_address"),
            merchant_id=None,
            create_time=now,
        )
        connected = await self._identities.add_wallet(tx, wallet)
        if connected is not None:
            return connected

        group = await self.get(tx, identity_group_id)
        if group.wallet is None:
            raise WalletTakenError(wallet.value)
        if group.wallet != wallet.value:
            raise WalletConflictError(identity_group_id)
        return group

    async def wallets_of(
        self, tx: Transaction, identity_group_ids: Collection[IdentityGroupId]
    ) -> dict[IdentityGroupId, str]:
        """The wallets, in lower case, of those groups that have one. One statement."""
        return await self._identities.wallets_of(tx, identity_group_ids)

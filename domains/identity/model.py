"""What is known of a person."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from domains.identity.errors import WalletAddressInvalidError
from vocabulary.addresses import normalize_address
from vocabulary.ids import IdentityGroupId, IdentityNodeId, MerchantId
from vocabulary.nobody import is_nobody


class NodeKind(StrEnum):
    """A kind of identifier. Clients and customers mean somebody at one merchant only.

    Whose a customer is follows from the orders of the shop, so no node is kept of it.
    """

    CLIENT = "client"
    CUSTOMER = "customer"
    WALLET = "wallet"


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityGroup:
    """One person, as far as is known. `wallet` is an address in lower case."""

    identity_group_id: IdentityGroupId
    wallet: str | None
    create_time: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityNode:
    """One identifier of a person. `merchant_id` is None for a wallet, and only then."""

    identity_node_id: IdentityNodeId
    identity_group_id: IdentityGroupId
    kind: NodeKind
    value: str
    merchant_id: MerchantId | None
    create_time: datetime

    def __post_init__(self) -> None:
        assert (self.kind is NodeKind.WALLET) == (self.merchant_id is None), self


def normalize_wallet(text: str, *, field: str) -> str:
    """The wallet's address in lower case. `field` is where the request says it.

    Raises:
        WalletAddressInvalidError: it is not an address, its checksum is wrong, or it is nobody's.
    """
    wallet = normalize_address(text)
    if wallet is None:
        problem = "is no address; send it in lower case or with its EIP-55 checksum"
        raise WalletAddressInvalidError(text, problem, field=field)
    if is_nobody(wallet):
        problem = "is nobody's: what is sent there is lost"
        raise WalletAddressInvalidError(text, problem, field=field)
    return wallet

"""How identity says no."""

from __future__ import annotations

from typing import ClassVar

from vocabulary.errors import DomainError, Kind
from vocabulary.ids import IdentityGroupId


class IdentityError(DomainError):
    domain: ClassVar[str] = "identity"


class GroupNotFoundError(IdentityError):
    reason = "GROUP_NOT_FOUND"
    kind = Kind.NOT_FOUND

    def __init__(self, identity_group_id: IdentityGroupId) -> None:
        super().__init__(
            f"There is no identity group {identity_group_id}.",
            identity_group_id=identity_group_id,
        )


class NodeNotFoundError(IdentityError):
    """Does not repeat the identifier: a client id is a secret."""

    reason = "NODE_NOT_FOUND"
    kind = Kind.NOT_FOUND

    def __init__(self) -> None:
        super().__init__("Nobody has been seen with this identifier.")


class WalletConflictError(IdentityError):
    reason = "WALLET_CONFLICT"
    kind = Kind.EXISTS

    def __init__(self, identity_group_id: IdentityGroupId) -> None:
        super().__init__(
            f"Identity group {identity_group_id} has another wallet already; a group keeps its "
            "first one.",
            identity_group_id=identity_group_id,
        )


class WalletTakenError(IdentityError):
    reason = "WALLET_TAKEN"
    kind = Kind.EXISTS

    def __init__(self, wallet_address: str) -> None:
        super().__init__(
            f"Wallet {wallet_address} belongs to another identity group; resolve it to find which.",
            wallet_address=wallet_address,
        )


class WalletAddressInvalidError(IdentityError):
    reason = "WALLET_ADDRESS_INVALID"
    kind = Kind.INVALID

    def __init__(self, wallet_address: str, problem: str, *, field: str) -> None:
        super().__init__(
            f"{wallet_address} {problem}.",
            field=field,
            problem=problem,
            wallet_address=wallet_address,
        )

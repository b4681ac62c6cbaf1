"""How business says no."""

from __future__ import annotations

from typing import ClassVar

from vocabulary.errors import DomainError, Kind
from vocabulary.ids import MerchantId


class BusinessError(DomainError):
    domain: ClassVar[str] = "business"


class DomainTakenError(BusinessError):
    reason = "DOMAIN_TAKEN"
    kind = Kind.EXISTS

    def __init__(self, domain_name: str) -> None:
        super().__init__(
            f"Another merchant has the domain {domain_name}.",
            field="merchant.domain",
            problem="is another merchant's",
            domain_name=domain_name,
        )


class DomainInvalidError(BusinessError):
    reason = "DOMAIN_INVALID"
    kind = Kind.INVALID

    def __init__(self, domain_name: str) -> None:
        super().__init__(
            f"{domain_name!r} is not a host name; send one like shop.example, without scheme, "
            "port or path.",
            field="merchant.domain",
            problem="is not a host name like shop.example",
            domain_name=domain_name,
        )


class TokenAddressInvalidError(BusinessError):
    reason = "TOKEN_ADDRESS_INVALID"
    kind = Kind.INVALID

    def __init__(self, token_address: str) -> None:
        super().__init__(
            f"{token_address} is no address; send it in lower case or with its EIP-55 checksum.",
            field="merchant.reward_token.token_address",
            problem=f"is {token_address}, which is no address in lower case or with its checksum",
            token_address=token_address,
        )


class DomainFixedError(BusinessError):
    reason = "DOMAIN_FIXED"
    kind = Kind.NOT_NOW

    def __init__(self, domain_name: str) -> None:
        super().__init__(
            f"The merchant's domain is {domain_name} and stays so; create another merchant for "
            "another domain.",
            field="merchant.domain",
            problem=f"is {domain_name} and stays so",
            domain_name=domain_name,
        )


class TokenInUseError(BusinessError):
    reason = "TOKEN_IN_USE"
    kind = Kind.NOT_NOW

    def __init__(self, address: str, *, chain_id: int, decimals: int, peg_currency: str) -> None:
        super().__init__(
            f"A campaign that was published pays in {address} of chain {chain_id}, with {decimals} "
            f"decimals and pegged to {peg_currency}, so the merchant pays in it for good.",
            field="merchant.reward_token",
            problem="is what a campaign that was published pays in, and stays so",
            token_address=address,
            chain_id=chain_id,
            decimals=decimals,
            peg_currency=peg_currency,
        )


class WebhookNotFoundError(BusinessError):
    reason = "WEBHOOK_NOT_FOUND"
    kind = Kind.NOT_FOUND

    def __init__(self, merchant_id: MerchantId) -> None:
        super().__init__(f"Merchant {merchant_id} has set no webhook up.", merchant_id=merchant_id)


class SigningKeyInvalidError(BusinessError):
    reason = "SIGNING_KEY_INVALID"
    kind = Kind.INVALID

    def __init__(self, fault: str) -> None:
        super().__init__(
            f"The signing key {fault}; a key that begins with whsec_ goes on with the Base64 of "
            "24 to 64 bytes. Any other text is a key for x-hmac-sha256 alone.",
            field="signing_key",
            problem=fault,
            fault=fault,
        )

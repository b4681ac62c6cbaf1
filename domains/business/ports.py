"""What business asks of the outside world."""

from __future__ import annotations

from typing import Protocol

from infrastructure.database.transaction import Transaction
from vocabulary.ids import MerchantId


class Seal(Protocol):
    """Whoever encrypts secrets that are stored."""

    @property
    def fingerprint(self) -> bytes:
        """Of the key that secrets are sealed with."""

    def seal(self, secret: str) -> bytes:
        """The secret, readable only with the process's key."""

    def open_if_possible(self, sealed: bytes) -> str | None:
        """The secret; None if the process has no more the key that it was sealed with."""

    def is_current(self, sealed: bytes) -> bool:
        """Whether a secret is sealed as `seal` seals."""


class TokenUse(Protocol):
    """Whoever knows whether somebody was promised a merchant's token."""

    async def has_published(self, tx: Transaction, merchant_id: MerchantId) -> bool:
        """Whether a campaign of the merchant was ever published."""

"""What is asked of a platform."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from domains.purchases.model import OrderEvent
from orchestration.purchase_webhook.platforms.proofs import Message, Proof


class ShopPlatform(Protocol):
    """How shops of one kind report their orders.

    `name` is the kind's, as the merchant's webhook settings have it.
    """

    name: str

    def proof_of(self, message: Message, *, now: datetime) -> Proof:
        """The signature that a message carries.

        Raises:
            SignatureFaultyError: it cannot be right, whatever the key.
        """

    def parse(self, body: bytes, *, receive_time: datetime, latest_time: datetime) -> OrderEvent:
        """What a body says of an order.

        Where it names no time, that is `receive_time`, when its delivery first came; a time that
        it names much later than `latest_time`, when this very body first came, is taken as that.

        Raises:
            BodyUnusableError: it can never be applied; names the field by its path.
        """

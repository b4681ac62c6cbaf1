"""What is asked of a platform."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from domains.purchases.model import OrderEvent


class ShopPlatform(Protocol):
    """How shops of one kind report their orders.

    `name` is the kind's, as the merchant's webhook settings have it; `signature_header` and
    `event_id_header` are where a delivery carries its signature and what tells it apart.
    """

    name: str
    signature_header: str
    event_id_header: str

    def fault_of_signature(self, signature: str, *, key: str, body: bytes) -> str | None:
        """What is wrong with a signature, behind the header's name; None: it is right."""

    def parse(self, body: bytes, *, receive_time: datetime, latest_time: datetime) -> OrderEvent:
        """What a body says of an order.

        Where it names no time, that is `receive_time`, when its delivery first came; a time that
        it names much later than `latest_time`, when this very body first came, is taken as that.

        Raises:
            BodyUnusableError: it can never be applied; names the field by its path.
        """

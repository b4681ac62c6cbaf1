"""How a claim says no."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from vocabulary.errors import DomainError, Kind
from vocabulary.ids import MerchantId


class PurchaseLinkingError(DomainError):
    domain: ClassVar[str] = "purchase_linking"


class MerchantUnknownError(PurchaseLinkingError):
    reason = "MERCHANT_UNKNOWN"
    kind = Kind.NOT_FOUND

    def __init__(self, merchant_id: MerchantId) -> None:
        super().__init__(f"There is no merchant {merchant_id}.", merchant_id=merchant_id)


class ClientIdInvalidError(PurchaseLinkingError):
    reason = "CLIENT_ID_INVALID"
    kind = Kind.INVALID

    def __init__(self, client_id: str) -> None:
        super().__init__(
            f"The client id is {client_id}, which stands for nobody; a browser has its own.",
            field="client_id",
            client_id=client_id,
        )


class OrderReferenceInvalidError(PurchaseLinkingError):
    reason = "ORDER_REFERENCE_INVALID"
    kind = Kind.INVALID

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"{field} {problem}.", field=field, problem=problem)
        self.metadata["field"] = field


class EventTimeInvalidError(PurchaseLinkingError):
    reason = "EVENT_TIME_INVALID"
    kind = Kind.INVALID

    def __init__(self, event_time: datetime) -> None:
        super().__init__(
            f"{event_time.isoformat()} lies in the future; only what has happened is imported.",
            field="event_time",
            event_time=event_time.isoformat(),
        )

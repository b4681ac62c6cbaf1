"""How an arrival says no."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from vocabulary.errors import DomainError, Kind
from vocabulary.ids import MerchantId


class ArrivalError(DomainError):
    domain: ClassVar[str] = "arrival"


class MerchantUnknownError(ArrivalError):
    reason = "MERCHANT_UNKNOWN"
    kind = Kind.NOT_FOUND

    def __init__(self, merchant_id: MerchantId) -> None:
        super().__init__(f"There is no merchant {merchant_id}.", merchant_id=merchant_id)


class ClientIdInvalidError(ArrivalError):
    reason = "CLIENT_ID_INVALID"
    kind = Kind.INVALID

    def __init__(self, client_id: str) -> None:
        super().__init__(
            f"The client id is {client_id}, which stands for nobody; a browser has its own.",
            field="client_id",
            client_id=client_id,
        )


class ReferrerClientIdRefusedError(ArrivalError):
    reason = "REFERRER_CLIENT_ID_REFUSED"
    kind = Kind.INVALID

    def __init__(self, *, field: str) -> None:
        super().__init__(
            "A referrer's client id is not accepted: it is the secret of their browser, and a link "
            "shows it to everybody. Send referrerShareId instead: the shareId with which the "
            "arrival of whoever shares the link was answered.",
            field=field,
        )


class EventTimeInvalidError(ArrivalError):
    reason = "EVENT_TIME_INVALID"
    kind = Kind.INVALID

    def __init__(self, event_time: datetime) -> None:
        super().__init__(
            f"{event_time.isoformat()} lies in the future; only what has happened is imported.",
            field="event_time",
            event_time=event_time.isoformat(),
        )

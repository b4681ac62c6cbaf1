"""Refusals that mean the same whoever says them: they come from the mesh's error domain."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from vocabulary.errors import DomainError, Kind, instant
from vocabulary.ids import MerchantId


class SharedError(DomainError):
    domain: ClassVar[str] = "mesh"


class MerchantNotFoundError(SharedError):
    reason = "MERCHANT_NOT_FOUND"
    kind = Kind.NOT_FOUND

    def __init__(self, merchant_id: MerchantId) -> None:
        super().__init__(f"There is no merchant {merchant_id}.", merchant_id=merchant_id)


class PageTokenInvalidError(SharedError):
    reason = "PAGE_TOKEN_INVALID"
    kind = Kind.INVALID

    def __init__(self) -> None:
        super().__init__(
            "The page token is of another list, or of other filters; leave it out to start over.",
            field="page_token",
            problem="is of another list, or of other filters; leave it out to start over",
        )


class ClientIdInvalidError(SharedError):
    reason = "CLIENT_ID_INVALID"
    kind = Kind.INVALID

    def __init__(self, client_id: str) -> None:
        super().__init__(
            f"The client id is {client_id}, which stands for nobody; a browser has its own.",
            field="client_id",
            problem=f"is {client_id}, which stands for nobody",
            client_id=client_id,
        )


class EventTimeInvalidError(SharedError):
    reason = "EVENT_TIME_INVALID"
    kind = Kind.INVALID

    def __init__(self, event_time: datetime) -> None:
        shown = instant(event_time)
        super().__init__(
            f"{shown} lies in the future; only what has happened is imported.",
            field="event_time",
            problem="lies in the future",
            event_time=shown,
        )

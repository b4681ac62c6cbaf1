"""Refusals that mean the same whoever says them: they come from the mesh's error domain.

Each is raised in one place, for all who need it.
"""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar, TypeVar

from vocabulary.errors import DomainError, Kind, instant
from vocabulary.ids import MerchantId
from vocabulary.nobody import is_nobody

Found = TypeVar("Found")


class SharedError(DomainError):
    domain: ClassVar[str] = "mesh"


class MerchantNotFoundError(SharedError):
    reason = "MERCHANT_NOT_FOUND"
    kind = Kind.NOT_FOUND

    def __init__(self, merchant_id: MerchantId) -> None:
        super().__init__(f"There is no merchant {merchant_id}.", merchant_id=merchant_id)


def of_merchant(found: Found | None, merchant_id: MerchantId) -> Found:
    """What was found of a merchant.

    Raises:
        MerchantNotFoundError: nothing was, since there is no such merchant.
    """
    if found is None:
        raise MerchantNotFoundError(merchant_id)
    return found


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


def require_client_id(client_id: str) -> str:
    """The client id.

    Raises:
        ClientIdInvalidError: it stands for nobody.
    """
    if is_nobody(client_id):
        raise ClientIdInvalidError(client_id)
    return client_id


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


def require_past(event_time: datetime, now: datetime) -> datetime:
    """The time of what is imported.

    Raises:
        EventTimeInvalidError: it lies in the future.
    """
    if event_time > now:
        raise EventTimeInvalidError(event_time)
    return event_time

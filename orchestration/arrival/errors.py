"""How an arrival says no."""

from __future__ import annotations

from typing import ClassVar

from vocabulary.errors import DomainError, Kind


class ArrivalError(DomainError):
    domain: ClassVar[str] = "arrival"


class ReferrerClientIdRefusedError(ArrivalError):
    reason = "REFERRER_CLIENT_ID_REFUSED"
    kind = Kind.INVALID

    def __init__(self, *, field: str) -> None:
        super().__init__(
            "A referrer's client id is not accepted: it is the secret of their browser, and a link "
            "shows it to everybody. Send their share id instead, with which the arrival of whoever "
            "shares the link was answered.",
            field=field,
            problem="is a client id, which is its browser's secret; send the share id instead",
        )

"""How attribution says no."""

from __future__ import annotations

from typing import ClassVar

from vocabulary.errors import DomainError, Kind


class AttributionError(DomainError):
    domain: ClassVar[str] = "attribution"


class PageTokenInvalidError(AttributionError):
    reason = "PAGE_TOKEN_INVALID"
    kind = Kind.INVALID

    def __init__(self) -> None:
        super().__init__(
            "The page token is not one of ours; leave it out to begin anew.", field="page_token"
        )

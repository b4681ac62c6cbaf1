"""How attribution says no."""

from __future__ import annotations

from typing import ClassVar

from vocabulary.errors import DomainError, Kind
from vocabulary.ids import MerchantId


class AttributionError(DomainError):
    domain: ClassVar[str] = "attribution"


class MerchantUnknownError(AttributionError):
    reason = "MERCHANT_UNKNOWN"
    kind = Kind.NOT_FOUND

    def __init__(self, merchant_id: MerchantId) -> None:
        super().__init__(f"There is no merchant {merchant_id}.", merchant_id=merchant_id)


class PageTokenInvalidError(AttributionError):
    reason = "PAGE_TOKEN_INVALID"
    kind = Kind.INVALID

    def __init__(self) -> None:
        super().__init__(
            "The page token is not one of ours; leave it out to begin anew.", field="page_token"
        )

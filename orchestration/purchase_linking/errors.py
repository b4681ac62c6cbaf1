"""How a claim says no."""

from __future__ import annotations

from typing import ClassVar

from vocabulary.errors import DomainError, Kind


class PurchaseLinkingError(DomainError):
    domain: ClassVar[str] = "purchase_linking"


class OrderReferenceInvalidError(PurchaseLinkingError):
    reason = "ORDER_REFERENCE_INVALID"
    kind = Kind.INVALID

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"{field} {problem}.", field=field, problem=problem)
        self.metadata["field"] = field

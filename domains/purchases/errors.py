"""How purchases says no."""

from __future__ import annotations

from typing import ClassVar

from vocabulary.errors import DomainError, Kind
from vocabulary.ids import DeliveryId, PurchaseId


class PurchasesError(DomainError):
    domain: ClassVar[str] = "purchases"


class PurchaseNotFoundError(PurchasesError):
    reason = "PURCHASE_NOT_FOUND"
    kind = Kind.NOT_FOUND

    def __init__(self, purchase_id: PurchaseId) -> None:
        super().__init__(f"The merchant has no purchase {purchase_id}.", purchase_id=purchase_id)


class DeliveryNotFoundError(PurchasesError):
    reason = "DELIVERY_NOT_FOUND"
    kind = Kind.NOT_FOUND

    def __init__(self, delivery_id: DeliveryId) -> None:
        super().__init__(f"The merchant has no delivery {delivery_id}.", delivery_id=delivery_id)


class DeliveryNotDeadError(PurchasesError):
    reason = "DELIVERY_NOT_DEAD"
    kind = Kind.NOT_NOW

    def __init__(self, delivery_id: DeliveryId, state: str) -> None:
        super().__init__(
            f"Delivery {delivery_id} is {state}; only a dead one is tried again on demand.",
            delivery_id=delivery_id,
            state=state,
        )


class BodyUnusableError(Exception):
    """A delivery's body can never be applied. `field` is a path in the body; empty: all of it."""

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"{field or 'the body'} {problem}")
        self.field = field
        self.problem = problem

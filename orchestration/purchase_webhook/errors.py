"""How a delivery is refused."""

from __future__ import annotations

from typing import ClassVar

from vocabulary.errors import DomainError, Kind
from vocabulary.ids import DeliveryId, MerchantId


class PurchaseWebhookError(DomainError):
    domain: ClassVar[str] = "purchase_webhook"


class WebhookNotFoundError(PurchaseWebhookError):
    reason = "WEBHOOK_NOT_FOUND"
    kind = Kind.NOT_FOUND

    def __init__(self, merchant: str, platform: str) -> None:
        super().__init__(
            f"{merchant} is no merchant, or its shop has no signing key for webhooks of this kind: "
            f"{platform}. Its owner sets one with UpdateWebhook.",
            merchant=merchant,
            platform=platform,
        )


class SignatureInvalidError(PurchaseWebhookError):
    reason = "SIGNATURE_INVALID"
    kind = Kind.UNAUTHENTICATED

    def __init__(self, header: str, fault: str) -> None:
        super().__init__(f"{header} {fault}.", header=header, fault=fault)


class DeliveryUnusableError(PurchaseWebhookError):
    reason = "DELIVERY_UNUSABLE"
    kind = Kind.INVALID

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(
            f"The delivery was kept but can never be applied: {field or 'the body'} {problem}.",
            field=field or "payload",
            problem=problem,
        )
        self.metadata["field"] = field or "payload"


class DeliveryPostponedError(PurchaseWebhookError):
    reason = "DELIVERY_POSTPONED"
    kind = Kind.UNAVAILABLE

    def __init__(self, delivery_id: DeliveryId) -> None:
        super().__init__(
            f"Delivery {delivery_id} was kept and will be applied later; sending it again is safe.",
            delivery_id=delivery_id,
        )


class SigningKeyUnreadableError(PurchaseWebhookError):
    reason = "SIGNING_KEY_UNREADABLE"
    kind = Kind.UNAVAILABLE

    def __init__(self, merchant_id: MerchantId) -> None:
        super().__init__(
            f"The server cannot read the signing key of merchant {merchant_id} at present, and "
            "kept nothing: send the delivery again later.",
            merchant_id=merchant_id,
        )

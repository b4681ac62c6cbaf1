"""PurchaseLinkingService, translated."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from google.protobuf import struct_pb2

from guerdon.orchestration.v1 import purchase_linking_pb2, purchase_linking_pb2_grpc
from infrastructure.rpc.caller import current_caller
from infrastructure.rpc.repeating import current_repeat
from infrastructure.rpc.translating import to_datetime
from orchestration.purchase_linking.errors import OrderReferenceInvalidError
from orchestration.purchase_linking.flow import Claim, PurchaseLinkingOrchestrator
from orchestration.purchase_linking.statements import Claimed
from vocabulary.ids import MerchantId
from vocabulary.nobody import is_absent, is_nobody
from vocabulary.problems import Problems
from vocabulary.refusals import require_client_id

REFERENCE_CHARACTERS_MAX = 255
WHOLE_NUMBER_MAX = 2**53 - 1
"""The largest whole number that a JSON number, a double, carries exactly with its neighbours."""


class PurchaseLinkingServicer(purchase_linking_pb2_grpc.PurchaseLinkingServiceServicer):
    """The gRPC face of `PurchaseLinkingOrchestrator`."""

    def __init__(self, *, flow: PurchaseLinkingOrchestrator) -> None:
        self._flow = flow

    async def ClaimPurchase(
        self, request: purchase_linking_pb2.ClaimPurchaseRequest, context: Any
    ) -> purchase_linking_pb2.ClaimPurchaseResponse:
        claim = _to_claim(request, client_id=current_caller().client_id)
        return _claimed(await self._flow.claim(claim, repeat=current_repeat(_claimed)))

    async def ImportClaim(
        self, request: purchase_linking_pb2.ImportClaimRequest, context: Any
    ) -> purchase_linking_pb2.ImportClaimResponse:
        client_id = require_client_id(request.client_id)
        claimed = await self._flow.claim_past(
            _to_claim(request.claim, client_id=client_id, path="claim."),
            event_time=to_datetime(request.event_time),
            repeat=current_repeat(_imported),
        )
        return _imported(claimed)


def _to_claim(
    message: purchase_linking_pb2.ClaimPurchaseRequest, *, client_id: str, path: str = ""
) -> Claim:
    problems, order_reference = Problems(), ""
    with problems.collecting():
        if message.HasField("customer_id") and not _is_left_out(message.customer_id):
            to_reference(message.customer_id, field=f"{path}customer_id")
    with problems.collecting():
        order_reference = to_reference(message.order_id, field=f"{path}order_id")
    problems.refuse()
    return Claim(
        merchant_id=MerchantId(UUID(message.merchant_id)),
        client_id=client_id,
        order_reference=order_reference,
        token=message.token.strip(),
    )


def _is_left_out(value: struct_pb2.Value) -> bool:
    """Whether there is no customer: null, or what a page writes for a guest."""
    kind = value.WhichOneof("kind")
    return kind == "null_value" or (kind == "string_value" and is_nobody(value.string_value))


def to_reference(value: struct_pb2.Value, *, field: str) -> str:
    """The id that a shop chose: a text without the white space around it, or a number's digits.

    Raises:
        OrderReferenceInvalidError: it is neither, or a number too large to be exact.
    """
    match value.WhichOneof("kind"):
        case "string_value":
            # As in a report.
            text = value.string_value.strip()
            if not 1 <= len(text) <= REFERENCE_CHARACTERS_MAX:
                raise OrderReferenceInvalidError(
                    field, f"must have 1 to {REFERENCE_CHARACTERS_MAX} characters"
                )
            if is_absent(text):
                raise OrderReferenceInvalidError(
                    field, f"is {text}, which is what a page sends when it has none"
                )
            return text
        case "number_value":
            number = value.number_value
            if not number.is_integer() or not abs(number) <= WHOLE_NUMBER_MAX:
                raise OrderReferenceInvalidError(
                    field, "must be a whole number up to 2^53 - 1; send it as text"
                )
            return str(int(number))
        case _:
            raise OrderReferenceInvalidError(field, "must be a text or a whole number")


def _claimed(claimed: Claimed) -> purchase_linking_pb2.ClaimPurchaseResponse:
    return purchase_linking_pb2.ClaimPurchaseResponse(
        success=True,
        identity_group_id=str(claimed.identity_group_id),
        purchase_id=str(claimed.purchase_id or ""),
        reward_count=claimed.reward_count,
        pending_webhook=claimed.purchase_id is None,
    )


def _imported(claimed: Claimed) -> purchase_linking_pb2.ImportClaimResponse:
    return purchase_linking_pb2.ImportClaimResponse(claim=_claimed(claimed))

"""A person of a merchant's team may do at that merchant what their role allows."""

from __future__ import annotations

from uuid import UUID

import grpc
from google.protobuf.message import Message

from guerdon.options.v1 import method_pb2
from infrastructure.rpc.caller import CallerKind, current_caller
from infrastructure.rpc.contract import Method
from server.interception.chain import BeforeCall, Call, Handler, Result
from server.interception.refusals import Refusal


class MerchantRole(BeforeCall):
    """Holds the caller's role against the least one that the method asks for.

    The merchant is read from the message, never from the URL.
    """

    def wrap(self, method: Method, proceed: Handler[Result]) -> Handler[Result]:
        if not method.merchant_role:
            return proceed
        least = method_pb2.MerchantRole.DESCRIPTOR.values_by_number[method.merchant_role].name

        async def step(request: Message, call: Call) -> Result:
            caller = current_caller()
            if caller.kind is CallerKind.MERCHANT:
                named = merchants_named(request)
                roles = [caller.merchant_roles.get(merchant, 0) for merchant in named]
                if not roles or min(roles) < method.merchant_role:
                    raise Refusal(
                        code=grpc.StatusCode.PERMISSION_DENIED,
                        reason="CALLER_REFUSED",
                        message=f"This call needs {least} at the merchant.",
                        metadata={"accepted": least},
                    )
            return await proceed(request, call)

        return step


def merchants_named(request: Message) -> list[UUID]:
    """The merchants that the request is about."""
    fields = request.DESCRIPTOR.fields_by_name
    texts: list[str] = []
    if "merchant_id" in fields:
        texts.append(getattr(request, "merchant_id"))  # noqa: B009 - messages differ
    if "merchant_ids" in fields:
        texts.extend(getattr(request, "merchant_ids"))  # noqa: B009 - messages differ
    return [UUID(text) for text in texts]

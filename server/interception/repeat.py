"""A call with a request id has one effect, however often it is made."""

from __future__ import annotations

from uuid import UUID

from google.protobuf.message import Message

from infrastructure.database.repeated_call import AlreadyAnsweredError
from infrastructure.rpc.caller import CallerKind, current_caller
from infrastructure.rpc.contract import ContractError, Method
from infrastructure.rpc.repeating import RepeatableCall, set_repeatable_call
from infrastructure.rpc.sameness import digest_of
from server.interception.chain import Call, StreamHandler, UnaryHandler


class RepeatedCall:
    """Names the call for `answer_once`, and answers a repeated one as before."""

    def wrap(self, method: Method, proceed: UnaryHandler) -> UnaryHandler:
        if not method.takes_request_id or CallerKind.ANYONE in method.callers:
            return proceed
        response_class = method.response_class
        rehearses = "validate_only" in method.request_type.fields_by_name

        async def step(request: Message, call: Call) -> Message:
            request_id: str = request.request_id  # type: ignore[attr-defined]  # asked above
            if not request_id or (rehearses and request.validate_only):  # type: ignore[attr-defined]
                set_repeatable_call(None)
                return await proceed(request, call)
            set_repeatable_call(
                RepeatableCall(
                    principal=current_caller().principal,
                    method=method.path,
                    request_id=UUID(request_id),
                    digest=digest_of(request, leaving_out=("request_id",)),
                )
            )
            try:
                return await proceed(request, call)
            except AlreadyAnsweredError as before:
                return response_class.FromString(before.answer)

        return step

    def wrap_stream(self, method: Method, proceed: StreamHandler) -> StreamHandler:
        """A stream is resumed by its cursor, and not repeated.

        Raises:
            ContractError: its request has a request id.
        """
        if method.takes_request_id:
            message = f"{method.path} answers in a stream, and no stream is kept to be repeated"
            raise ContractError(message)
        return proceed

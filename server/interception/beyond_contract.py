"""How methods are served that are not of the contract: none of the steps knows them.

Health, reflection and channelz pass, but take exactly one message where they are unary. What
nobody serves is refused in our words.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Container, Iterable
from typing import Any

import grpc
import structlog
from google.protobuf.message import Message
from grpc_status import rpc_status

from server.interception.one_message import MESSAGE_SECONDS_MAX, one_message, readable, within
from server.interception.refusals import Refusal, to_status
from server.interception.waits import Waits

MESSAGE_BYTES_MAX = 4 << 10
PATH_CHARACTERS_MAX = 100
"""Of what is called, in the log: longer than any path of ours."""

_log = structlog.get_logger()


class BeyondContract(grpc.aio.ServerInterceptor):
    """Lets methods of the contract pass, and those whose paths begin with an open service's.

    The latter take exactly one message where they are unary. All others are unknown.
    """

    def __init__(
        self,
        contract: Container[str],
        open_services: Iterable[str],
        *,
        seconds_max: float = MESSAGE_SECONDS_MAX,
    ) -> None:
        self._contract = contract
        self._prefixes = tuple(open_services)
        self._waits = Waits(seconds_max)
        self._unknown: Any = grpc.stream_unary_rpc_method_handler(_unknown)

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Any]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Any:
        path: str = handler_call_details.method
        handler = await continuation(handler_call_details)
        if path in self._contract:
            return handler
        if handler is None or not path.startswith(self._prefixes):
            # What stands behind it may be anything.
            named = path.partition("?")[0]
            _log.info("unknown method called", method=named[:PATH_CHARACTERS_MAX])
            return self._unknown
        if handler.unary_unary is None:
            return handler
        return grpc.stream_unary_rpc_method_handler(
            _with_one_message(handler, self._waits),
            response_serializer=handler.response_serializer,
        )


def _with_one_message(handler: Any, waits: Waits) -> Callable[[Any, Any], Any]:
    async def behaviour(_: Any, context: Any) -> Message:
        try:
            data = within(MESSAGE_BYTES_MAX, await one_message(context, waits))
            request = readable(handler.request_deserializer, data)
        except Refusal as refusal:
            await _abort(context, refusal)
            raise AssertionError from refusal
        response: Message = await handler.unary_unary(request, context)
        return response

    return behaviour


async def _unknown(_: Any, context: Any) -> Message:
    await _abort(
        context,
        Refusal(
            code=grpc.StatusCode.UNIMPLEMENTED,
            reason="METHOD_UNKNOWN",
            message="No service has this method; reflection on the mesh listener lists them.",
        ),
    )
    raise AssertionError


async def _abort(context: Any, refusal: Refusal) -> None:
    status = to_status(refusal, None, as_json=False)
    await context.abort_with_status(rpc_status.to_status(status))

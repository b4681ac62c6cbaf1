"""A query parameter must not repeat what the path or the body says.

Envoy lets a query parameter replace a variable of the path, and many a field of the body. Access
is checked on the message's field, so nobody gains by it; but whoever reads the path in a log
would be misled, and two callers who send one body would ask for two things.
"""

from __future__ import annotations

from urllib.parse import parse_qsl

import grpc
from google.protobuf.message import Message

from infrastructure.rpc.contract import Method
from server.interception.chain import BeforeCall, Call, Handler, Result
from server.interception.refusals import Refusal, Violation

PARAMETERS_MAX = 100
"""How many parameters a query may have. It is read before anybody has shown a proof."""


class PathOverQuery(BeforeCall):
    """Refuses a query that names a variable of the path, however it is spelled or encoded.

    Where a route takes a body, it refuses every query.
    """

    def wrap(self, method: Method, proceed: Handler[Result]) -> Handler[Result]:
        if not method.path_parameters and not method.takes_body:
            return proceed

        async def step(request: Message, call: Call) -> Result:
            # Not urlsplit: the path is whatever a caller of ours likes to put there.
            _, _, query = call.header("x-envoy-original-path").partition("?")
            if method.takes_body:
                # The first one is refused, so nobody looks at the others.
                query = next(filter(None, query.split("&")), "")
            elif query.count("&") >= PARAMETERS_MAX:
                raise Refusal(
                    code=grpc.StatusCode.INVALID_ARGUMENT,
                    reason="REQUEST_INVALID",
                    message=f"The query has more than {PARAMETERS_MAX} parameters.",
                )
            for name, _ in parse_qsl(query, keep_blank_values=True) if query else ():
                if name in method.path_parameters:
                    raise Refusal(
                        code=grpc.StatusCode.INVALID_ARGUMENT,
                        reason="QUERY_OVERRIDES_PATH",
                        message=f"The path says what {name} is; leave it out of the query.",
                        metadata={"parameter": name},
                        violations=[_blamed(name, "repeats what the path says")],
                    )
                if method.takes_body:
                    raise Refusal(
                        code=grpc.StatusCode.INVALID_ARGUMENT,
                        reason="QUERY_BESIDE_BODY",
                        message=f"This call takes its fields from the body; put {name} there.",
                        metadata={"parameter": name},
                        violations=[_blamed(name, "belongs into the body")],
                    )
            return await proceed(request, call)

        return step


def _blamed(name: str, description: str) -> Violation:
    return Violation(path=name, description=description, in_json=True)

"""What callers read when Envoy itself answers.

Callers of JSON get the same shape as from a service. Native gRPC callers are left out: they have
their status already, and a JSON text would become its message.
"""

from __future__ import annotations

from dataclasses import dataclass

from envoy_data_plane.envoy.config.accesslog.v3 import (
    AccessLogFilter,
    AndFilter,
    ComparisonFilter,
    ComparisonFilterOp,
    HeaderFilter,
    OrFilter,
    StatusCodeFilter,
)
from envoy_data_plane.envoy.config.core.v3 import RuntimeUInt32, SubstitutionFormatString
from envoy_data_plane.envoy.config.route.v3 import HeaderMatcher
from envoy_data_plane.envoy.extensions.filters.network.http_connection_manager.v3 import (
    LocalReplyConfig,
    ResponseMapper,
)
from envoy_data_plane.envoy.type.matcher.v3 import StringMatcher
from envoy_data_plane.google import protobuf
from grpc import StatusCode

ERROR_DOMAIN = "mesh.guerdon"
_ERROR_INFO = "type.googleapis.com/google.rpc.ErrorInfo"
_UNREADABLE_REQUEST = "The request cannot be read; check its path, parameters, headers and JSON."


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalReply:
    """What Envoy answers with an HTTP status.

    `reason` is a value of `MeshErrorReason` without its prefix. `and_above` widens the entry to all
    higher statuses.
    """

    http_status: int
    code: StatusCode
    reason: str
    message: str
    and_above: bool = False


_OTHERS = (
    LocalReply(
        http_status=400,
        code=StatusCode.INVALID_ARGUMENT,
        reason="REQUEST_MALFORMED",
        # Envoy's words name the parameter or the place in the JSON; of a path they are none.
        message=f"{_UNREADABLE_REQUEST} %LOCAL_REPLY_BODY%",
    ),
    # Nothing at the edge asks for a proof today. What will, answers in the mesh's words.
    LocalReply(
        http_status=401,
        code=StatusCode.UNAUTHENTICATED,
        reason="CALLER_UNKNOWN",
        message="This call needs a proof of who is calling.",
    ),
    LocalReply(
        http_status=403,
        code=StatusCode.PERMISSION_DENIED,
        reason="CALLER_REFUSED",
        message="This call is not for you.",
    ),
    LocalReply(
        http_status=404,
        code=StatusCode.NOT_FOUND,
        reason="ROUTE_UNKNOWN",
        message="No call has this path and verb; check the spelling of both.",
    ),
    LocalReply(
        http_status=408,
        code=StatusCode.DEADLINE_EXCEEDED,
        reason="SERVER_SLOW",
        message="The call was given up, because nothing moved for too long; try again.",
    ),
    LocalReply(
        http_status=429,
        code=StatusCode.RESOURCE_EXHAUSTED,
        reason="RATE_LIMITED",
        message="This is called too often at the moment; slow down and try again.",
    ),
    LocalReply(
        http_status=431,
        code=StatusCode.INVALID_ARGUMENT,
        reason="REQUEST_MALFORMED",
        message="The path and the headers of the request are too large.",
    ),
    LocalReply(
        http_status=503,
        code=StatusCode.UNAVAILABLE,
        reason="SERVER_AWAY",
        message="No server takes calls at the moment; try again in a few seconds.",
    ),
    LocalReply(
        http_status=504,
        code=StatusCode.DEADLINE_EXCEEDED,
        reason="SERVER_SLOW",
        message="The server took too long to answer; the call may have had its effect.",
    ),
    # 500 is an answer too large to pass on, 502 one that is not HTTP.
    LocalReply(
        http_status=500,
        code=StatusCode.INTERNAL,
        reason="ANSWER_UNREADABLE",
        message="The server's answer cannot be passed on; the call may have had its effect.",
        and_above=True,
    ),
    LocalReply(
        http_status=400,
        code=StatusCode.INVALID_ARGUMENT,
        reason="REQUEST_MALFORMED",
        message=_UNREADABLE_REQUEST,
        and_above=True,
    ),
)


def local_replies(body_bytes_max: int) -> tuple[LocalReply, ...]:
    """Every answer of Envoy's own; the first that fits is given."""
    too_large = LocalReply(
        http_status=413,
        code=StatusCode.OUT_OF_RANGE,
        reason="BODY_TOO_LARGE",
        message=f"The body is larger than {body_bytes_max} bytes; send less at once.",
    )
    return (too_large, *_OTHERS)


def local_reply_config(body_bytes_max: int) -> LocalReplyConfig:
    """The same as Envoy reads it."""
    return LocalReplyConfig(mappers=[_mapper(reply) for reply in local_replies(body_bytes_max)])


def _mapper(reply: LocalReply) -> ResponseMapper:
    both = AndFilter(filters=[_with_status(reply), _from_json_caller()])
    return ResponseMapper(
        filter=AccessLogFilter(and_filter=both),
        body_format_override=SubstitutionFormatString(
            content_type="application/json",
            json_format=protobuf.Struct.from_dict(
                {
                    "code": reply.code.value[0],
                    "message": reply.message,
                    "details": [
                        {"@type": _ERROR_INFO, "domain": ERROR_DOMAIN, "reason": reply.reason}
                    ],
                }
            ),
        ),
    )


def _with_status(reply: LocalReply) -> AccessLogFilter:
    op = ComparisonFilterOp.GE if reply.and_above else ComparisonFilterOp.EQ
    # Envoy wants a name for every number that an operator could change at run time.
    key = f"local_reply.{op.name}.{reply.http_status}"
    number = RuntimeUInt32(default_value=reply.http_status, runtime_key=key)
    comparison = ComparisonFilter(op=op, value=number)
    return AccessLogFilter(status_code_filter=StatusCodeFilter(comparison=comparison))


def _from_json_caller() -> AccessLogFilter:
    """A call that came as JSON: already turned into gRPC, or not looking like gRPC at all."""
    turned = HeaderMatcher(name="x-envoy-original-path", present_match=True)
    not_grpc = HeaderMatcher(
        name="content-type",
        string_match=StringMatcher(prefix="application/grpc"),
        invert_match=True,
        # Otherwise a GET, which has no content type, would match neither.
        treat_missing_header_as_empty=True,
    )
    return AccessLogFilter(
        or_filter=OrFilter(
            filters=[
                AccessLogFilter(header_filter=HeaderFilter(header=header))
                for header in (turned, not_grpc)
            ]
        )
    )

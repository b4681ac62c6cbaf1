"""What callers read when Envoy itself answers.

Callers of JSON get the same shape as from a service, native gRPC callers a status with the same
details.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from envoy_data_plane.envoy.config.accesslog.v3 import (
    AccessLogFilter,
    AndFilter,
    ComparisonFilter,
    ComparisonFilterOp,
    HeaderFilter,
    OrFilter,
    StatusCodeFilter,
)
from envoy_data_plane.envoy.config.core.v3 import (
    DataSource,
    HeaderValue,
    HeaderValueOption,
    HeaderValueOptionHeaderAppendAction,
    RuntimeUInt32,
    SubstitutionFormatString,
)
from envoy_data_plane.envoy.config.route.v3 import HeaderMatcher
from envoy_data_plane.envoy.extensions.filters.network.http_connection_manager.v3 import (
    LocalReplyConfig,
    ResponseMapper,
)
from envoy_data_plane.envoy.type.matcher.v3 import RegexMatcher, StringMatcher
from envoy_data_plane.google import protobuf
from grpc import StatusCode

from server.edge.routes import BODY_BYTES_MAX_KEY, METADATA
from server.edge.scripts import (
    ENCODING_UNKNOWN_STATUS,
    ENCODINGS,
    PATH_TOO_LONG_STATUS,
    PATH_WITH_QUERY_BYTES_MAX,
)
from server.edge.status_details import ERROR_DOMAIN, details_of

_ERROR_INFO = "type.googleapis.com/google.rpc.ErrorInfo"
_UNREADABLE_REQUEST = "The request cannot be read; check its path, parameters, headers and JSON."


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalReply:
    """What Envoy answers with an HTTP status.

    `reason` is a value of `MeshErrorReason` without its prefix. `and_above` widens the entry to all
    higher statuses. `details` are Envoy's own words about a request in JSON, put behind the
    message. `native_code` is the code for native gRPC callers, where it is another one.
    `answered_as` is the status that callers of JSON read, where it is another one.
    """

    http_status: int
    code: StatusCode
    reason: str
    message: str
    and_above: bool = False
    details: str = ""
    native_code: StatusCode | None = None
    answered_as: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Readers:
    """Whose pages may read an answer that no filter has seen, and so none has marked for them.

    `requests` says by which headers such a request is known, `origin` what the answer says.
    """

    requests: tuple[HeaderMatcher, ...]
    origin: str


_MALFORMED = LocalReply(
    http_status=400,
    code=StatusCode.INVALID_ARGUMENT,
    reason="REQUEST_MALFORMED",
    message=_UNREADABLE_REQUEST,
    # Envoy's words name the parameter or the place in the JSON; of a path they are none.
    details=" %LOCAL_REPLY_BODY%",
)
LOCAL_REPLIES = (
    # Given most often, by whoever is flooded: looking through the others costs as much as the rest.
    LocalReply(
        http_status=429,
        code=StatusCode.RESOURCE_EXHAUSTED,
        reason="RATE_LIMITED",
        message="This is called too often at the moment; slow down and try again.",
    ),
    _MALFORMED,
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
        # What gRPC itself says of a method that is not there.
        native_code=StatusCode.UNIMPLEMENTED,
        reason="ROUTE_UNKNOWN",
        message="No call has this path and verb here; check the spelling, and whether the call is "
        "one of the mesh.",
    ),
    LocalReply(
        http_status=408,
        code=StatusCode.DEADLINE_EXCEEDED,
        reason="REQUEST_UNFINISHED",
        message="The request did not arrive as a whole in time; send it without pauses.",
    ),
    LocalReply(
        http_status=413,
        code=StatusCode.OUT_OF_RANGE,
        reason="BODY_TOO_LARGE",
        message="The body is larger than this call takes; send less at once.",
        details=f" At most: %METADATA(ROUTE:{METADATA}:{BODY_BYTES_MAX_KEY})% bytes.",
    ),
    LocalReply(
        http_status=ENCODING_UNKNOWN_STATUS,
        code=StatusCode.INVALID_ARGUMENT,
        reason="REQUEST_MALFORMED",
        message=f"The header grpc-encoding is one of {', '.join(ENCODINGS)}.",
    ),
    LocalReply(
        http_status=PATH_TOO_LONG_STATUS,
        code=StatusCode.INVALID_ARGUMENT,
        reason="REQUEST_MALFORMED",
        message=f"Path and query have more than {PATH_WITH_QUERY_BYTES_MAX} bytes together.",
    ),
    LocalReply(
        http_status=431,
        code=StatusCode.INVALID_ARGUMENT,
        reason="REQUEST_MALFORMED",
        message="The path and the headers of the request are too large.",
    ),
    # A transfer encoding that nobody knows: the caller's doing, not ours.
    replace(_MALFORMED, http_status=501, details="", answered_as=400),
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
    replace(_MALFORMED, details="", and_above=True),
)
"""Every answer of Envoy's own; the first that fits is given."""


# Statuses of answers before all filters: of a path that cannot be understood, and of headers that
# are too large. Of the latter Envoy knows nothing any more, not even the path.
_EARLY_STATUS = 400
_EARLY_UNREAD_STATUS = 431
_EVERY_PAGE = Readers(requests=(), origin="*")


def page_readers(
    shop_segments: Sequence[str], dashboards: tuple[str, Sequence[str]]
) -> list[Readers]:
    """Pages of shops, by the first segments that they call, and dashboards by theirs and origin."""
    segment, origins = dashboards
    readers = [Readers(requests=(_below(shop_segments),), origin="*")]
    if origins:
        page = HeaderMatcher(
            name="origin", string_match=_matching("|".join(map(re.escape, origins)))
        )
        readers.append(Readers(requests=(_below([segment]), page), origin="%REQ(origin)%"))
    return readers


def local_reply_config(pages: Sequence[Readers]) -> LocalReplyConfig:
    """The same as Envoy reads it. `pages` may read the early ones; of the mesh there are none."""
    return LocalReplyConfig(
        mappers=[
            mapper
            for reply in LOCAL_REPLIES
            for readers in _readers(reply, pages)
            for mapper in _mappers(reply, readers)
        ]
    )


def _readers(reply: LocalReply, pages: Sequence[Readers]) -> Sequence[Readers | None]:
    if pages and reply.http_status == _EARLY_UNREAD_STATUS:
        # The same for everybody, and it tells nothing.
        return [_EVERY_PAGE]
    if reply.http_status == _EARLY_STATUS and not reply.and_above:
        return [*pages, None]
    return [None]


def _mappers(reply: LocalReply, readers: Readers | None) -> Iterator[ResponseMapper]:
    asked = [] if readers is None else [_header_filter(each) for each in readers.requests]
    allowed = [] if readers is None else [_allowed_origin(readers.origin)]
    for native in (False, True):
        caller = _from_native_caller() if native else _from_json_caller()
        fitting = AndFilter(filters=[_with_status(reply), caller, *asked])
        yield ResponseMapper(
            filter=AccessLogFilter(and_filter=fitting),
            # Without it gRPC-Web would make a code of the status, and take ours for the caller's.
            status_code=200 if native else reply.answered_as,
            body_format_override=_native_body() if native else _json_body(reply),
            headers_to_add=[*(_native_headers(reply) if native else ()), *allowed],
        )


def _allowed_origin(origin: str) -> HeaderValueOption:
    return HeaderValueOption(
        header=HeaderValue(key="access-control-allow-origin", value=origin),
        append_action=HeaderValueOptionHeaderAppendAction.ADD_IF_ABSENT,
    )


def _below(segments: Sequence[str]) -> HeaderMatcher:
    """A path below one of these first segments. A backslash stands where a slash was meant."""
    paths = "|".join(map(re.escape, segments))
    return HeaderMatcher(name=":path", string_match=_matching(rf"(?:{paths})(?:[/?\\].*)?"))


def _matching(pattern: str) -> StringMatcher:
    return StringMatcher(safe_regex=RegexMatcher(regex=pattern))


def _json_body(reply: LocalReply) -> SubstitutionFormatString:
    info = {"@type": _ERROR_INFO, "domain": ERROR_DOMAIN, "reason": reply.reason}
    return SubstitutionFormatString(
        content_type="application/json",
        json_format=protobuf.Struct.from_dict(
            {
                "code": reply.code.value[0],
                "message": reply.message + reply.details,
                "details": [info],
            }
        ),
    )


def _native_body() -> SubstitutionFormatString:
    """Nothing: all is said in the headers."""
    return SubstitutionFormatString(
        text_format_source=DataSource(inline_string=""), content_type="application/grpc"
    )


def _native_headers(reply: LocalReply) -> Iterator[HeaderValueOption]:
    code = (reply.native_code or reply.code).value[0]
    for name, value in (
        ("grpc-status", str(code)),
        ("grpc-message", reply.message),
        ("grpc-status-details-bin", details_of(code, reply.reason, reply.message)),
    ):
        yield HeaderValueOption(
            header=HeaderValue(key=name, value=value),
            append_action=HeaderValueOptionHeaderAppendAction.OVERWRITE_IF_EXISTS_OR_ADD,
        )


def _with_status(reply: LocalReply) -> AccessLogFilter:
    op = ComparisonFilterOp.GE if reply.and_above else ComparisonFilterOp.EQ
    # Envoy wants a name for every number that an operator could change at run time.
    key = f"local_reply.{op.name}.{reply.http_status}"
    number = RuntimeUInt32(default_value=reply.http_status, runtime_key=key)
    comparison = ComparisonFilter(op=op, value=number)
    return AccessLogFilter(status_code_filter=StatusCodeFilter(comparison=comparison))


def _from_json_caller() -> AccessLogFilter:
    """A call that came as JSON: already turned into gRPC, or not gRPC at all."""
    turned = HeaderMatcher(name="x-envoy-original-path", present_match=True)
    return AccessLogFilter(
        or_filter=OrFilter(filters=[_header_filter(turned), _header_filter(_grpc(invert=True))])
    )


def _from_native_caller() -> AccessLogFilter:
    return _header_filter(_grpc(invert=False))


def _grpc(*, invert: bool) -> HeaderMatcher:
    """What Envoy takes for gRPC; `application/grpcx` is not, and neither is gRPC-Web."""
    return HeaderMatcher(
        name="content-type",
        string_match=_matching("application/grpc(?:[+].*)?"),
        invert_match=invert,
        # Otherwise a GET, which has no content type, would match neither.
        treat_missing_header_as_empty=True,
    )


def _header_filter(header: HeaderMatcher) -> AccessLogFilter:
    return AccessLogFilter(header_filter=HeaderFilter(header=header))

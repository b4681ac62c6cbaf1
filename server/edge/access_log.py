"""A line for each answer that Envoy gave by itself; servers write those of their own.

Without it nobody learns of paths that lead nowhere, and of calls that found no server.
"""

from __future__ import annotations

from envoy_data_plane.envoy.config.accesslog.v3 import (
    AccessLog,
    AccessLogFilter,
    AndFilter,
    ComparisonFilter,
    ComparisonFilterOp,
    ExtensionFilter,
    OrFilter,
    RuntimeFilter,
    StatusCodeFilter,
)
from envoy_data_plane.envoy.config.core.v3 import RuntimeUInt32, SubstitutionFormatString
from envoy_data_plane.envoy.extensions.access_loggers.filters.cel.v3 import ExpressionFilter
from envoy_data_plane.envoy.extensions.access_loggers.stream.v3 import StdoutAccessLog
from envoy_data_plane.envoy.type.v3 import FractionalPercent, FractionalPercentDenominatorType
from envoy_data_plane.google import protobuf

PATH_CHARACTERS_MAX = 100
REQUEST_ID_CHARACTERS_MAX = 64

# Codes are asked first, since that costs next to nothing and ends it for most calls.
FAULTS_FROM = 400
# Whoever floods is answered so: too many calls, or, before a limit counts them, unreadable ones.
# The others have passed the limit of their address,
OF_FLOODS = (400, 414, 429, 431)
# or ended like this, whatever their code: not sent to their end, left, never taken, refused while
# memory was short, or meant for another protocol.
FLOODS_END = (
    "downstream_remote_disconnect",
    "forced_goaway",
    "http2.remote_reset",
    "overload",
    "request_overall_timeout",
    "stream_idle_timeout",
    "upgrade_failed",
)
_OWN = "response.code_details != 'via_upstream'"
_NOT_OF_FLOODS = (
    f"!(response.code_details in {[*FLOODS_END]})"
    " && !response.code_details.startsWith('codec_error')"
)
FLOOD_PERCENT = 1
FLOOD_RUNTIME_KEY = "access_log.of_floods"


def access_log(listener: str) -> AccessLog:
    """On standard output, as the servers have theirs.

    Never a query, which may hold anything, nor a header but the caller's own name for the call.
    """
    return AccessLog(
        name="own_answers",
        filter=_all(
            _code(ComparisonFilterOp.GE, FAULTS_FROM),
            _any(
                _all(
                    *(_code(ComparisonFilterOp.NE, code) for code in OF_FLOODS),
                    _expression(_NOT_OF_FLOODS),
                ),
                _sampled(),
            ),
            _expression(_OWN),
        ),
        typed_config=protobuf.Any.pack(StdoutAccessLog(log_format=_line(listener))),
    )


def _line(listener: str) -> SubstitutionFormatString:
    path = f"%PATH(NQ:ORIG_OR_PATH):{PATH_CHARACTERS_MAX}%"
    return SubstitutionFormatString(
        json_format=protobuf.Struct.from_dict(
            {
                "event": "answered by envoy",
                "listener": listener,
                "timestamp": "%START_TIME%",
                "verb": "%REQ(X-ENVOY-ORIGINAL-METHOD?:METHOD):10%",
                "path": path,
                "status": "%RESPONSE_CODE%",
                "why": "%RESPONSE_CODE_DETAILS%",
                "flags": "%RESPONSE_FLAGS%",
                "milliseconds": "%DURATION%",
                "request_id": f"%REQ(X-REQUEST-ID):{REQUEST_ID_CHARACTERS_MAX}%",
            }
        ),
    )


def _expression(text: str) -> AccessLogFilter:
    config = protobuf.Any.pack(ExpressionFilter(expression=text))
    return AccessLogFilter(
        extension_filter=ExtensionFilter(
            name="envoy.access_loggers.extension_filters.cel", typed_config=config
        )
    )


def _code(how: ComparisonFilterOp, code: int) -> AccessLogFilter:
    # The name is one that nobody sets: Envoy wants one.
    value = RuntimeUInt32(default_value=code, runtime_key=f"access_log.code_{code}")
    return AccessLogFilter(
        status_code_filter=StatusCodeFilter(comparison=ComparisonFilter(op=how, value=value))
    )


def _sampled() -> AccessLogFilter:
    """One of a hundred, by chance: not by the request id, which callers choose."""
    share = FractionalPercent(
        numerator=FLOOD_PERCENT, denominator=FractionalPercentDenominatorType.HUNDRED
    )
    return AccessLogFilter(
        runtime_filter=RuntimeFilter(
            runtime_key=FLOOD_RUNTIME_KEY, percent_sampled=share, use_independent_randomness=True
        )
    )


def _all(*filters: AccessLogFilter) -> AccessLogFilter:
    return AccessLogFilter(and_filter=AndFilter(filters=list(filters)))


def _any(*filters: AccessLogFilter) -> AccessLogFilter:
    return AccessLogFilter(or_filter=OrFilter(filters=list(filters)))

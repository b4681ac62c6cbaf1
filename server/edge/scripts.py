"""What Envoy's own filters cannot do: short scripts, run for the requests that need them."""

from __future__ import annotations

from envoy_data_plane.envoy.config.core.v3 import DataSource
from envoy_data_plane.envoy.config.core.v3 import TypedExtensionConfig as EnvoyExtension
from envoy_data_plane.envoy.extensions.common.matching.v3 import ExtensionWithMatcher
from envoy_data_plane.envoy.extensions.filters.http.composite.v3 import (
    Composite,
    ExecuteFilterAction,
)
from envoy_data_plane.envoy.extensions.filters.http.lua.v3 import Lua
from envoy_data_plane.envoy.type.matcher.v3 import HttpRequestHeaderMatchInput
from envoy_data_plane.google import protobuf
from envoy_data_plane.xds.core.v3 import TypedExtensionConfig
from envoy_data_plane.xds.type.matcher.v3 import (
    Matcher,
    MatcherMatcherList,
    MatcherMatcherListFieldMatcher,
    MatcherMatcherListPredicate,
    MatcherMatcherListPredicatePredicateList,
    MatcherMatcherListPredicateSinglePredicate,
    MatcherMatcherTree,
    MatcherMatcherTreeMatchMap,
    MatcherOnMatch,
    RegexMatcher,
    RegexMatcherGoogleRe2,
    StringMatcher,
)

from infrastructure.rpc.strict_routes import AUDIENCE

# What a server here can unpack.
ENCODINGS = ("deflate", "gzip", "identity")
ENCODING_UNKNOWN_STATUS = 415
PATH_WITH_QUERY_BYTES_MAX = 2_048
PATH_TOO_LONG_STATUS = 414

_CHECK_VALUES = f"""
function envoy_on_request(handle)
  local headers = handle:headers()
  local timeout = headers:get("grpc-timeout")
  local encoding = headers:get("grpc-encoding")
  if timeout == nil and encoding == nil then
    return
  end
  local kind = headers:get("content-type") or ""
  if kind ~= "application/grpc" and string.sub(kind, 1, 17) ~= "application/grpc+" then
    headers:remove("grpc-timeout")
    headers:remove("grpc-encoding")
    return
  end
  if timeout ~= nil and (#timeout > 9 or string.find(timeout, "^%d*[1-9]%d*[HMSmun]$") == nil) then
    handle:respond({{[":status"] = "400"}}, "grpc-timeout is malformed.")
    return
  end
  if encoding ~= nil and {" and ".join(f'encoding ~= "{each}"' for each in ENCODINGS)} then
    handle:respond({{[":status"] = "{ENCODING_UNKNOWN_STATUS}"}}, "grpc-encoding is unknown.")
  end
end
"""

# Who asks for the headers alone gets them as they are, and nothing behind them: what follows would
# be read as the next answer.
_DROP_BODY = """
function envoy_on_response(handle)
  local length = handle:headers():get("content-length")
  local body = handle:body()
  if body ~= nil then
    body:setBytes("")
    handle:headers():replace("content-length", length or "0")
  end
end
"""


# Where nothing is strict, a query says nothing: pages and their analytics add what they like to an
# address. Elsewhere the server reads it. Envoy reads it before, to no purpose but at a cost.
_LIMIT_QUERY = f"""
function envoy_on_request(handle)
  local headers = handle:headers()
  local path = headers:get(":path")
  if string.sub(path, 1, {len(AUDIENCE) + 1}) ~= "{AUDIENCE}/" then
    headers:replace(":path", string.sub(path, 1, string.find(path, "?", 1, true) - 1))
  elseif #path > {PATH_WITH_QUERY_BYTES_MAX} then
    handle:respond({{[":status"] = "{PATH_TOO_LONG_STATUS}"}}, "")
  end
end
"""


def scripts() -> ExtensionWithMatcher:
    """Refuses a malformed `grpc-timeout` and an unknown `grpc-encoding` of gRPC callers.

    Those of other callers are taken away: they say nothing about JSON. Answers to HEAD lose
    their body.
    """
    by_verb = MatcherMatcherTree(
        input=_header(":method"),
        exact_match_map=MatcherMatcherTreeMatchMap(map={"HEAD": _run(_CHECK_VALUES + _DROP_BODY)}),
    )
    with_values = MatcherMatcherList(
        matchers=[
            MatcherMatcherListFieldMatcher(
                predicate=MatcherMatcherListPredicate(
                    or_matcher=MatcherMatcherListPredicatePredicateList(
                        predicate=[_there("grpc-timeout"), _there("grpc-encoding")]
                    )
                ),
                on_match=_run(_CHECK_VALUES),
            )
        ]
    )
    return _executing(
        Matcher(
            matcher_tree=by_verb,
            on_no_match=MatcherOnMatch(matcher=Matcher(matcher_list=with_values)),
        )
    )


def queries() -> ExtensionWithMatcher:
    """Takes away queries that nobody reads, and refuses those that are too long.

    A query costs Envoy a hundred times of what its bytes cost to send.
    """
    with_query = MatcherMatcherListPredicate(
        single_predicate=MatcherMatcherListPredicateSinglePredicate(
            input=_header(":path"), value_match=StringMatcher(contains="?")
        )
    )
    return _executing(
        Matcher(
            matcher_list=MatcherMatcherList(
                matchers=[
                    MatcherMatcherListFieldMatcher(
                        predicate=with_query, on_match=_run(_LIMIT_QUERY)
                    )
                ]
            )
        )
    )


def _executing(matcher: Matcher) -> ExtensionWithMatcher:
    return ExtensionWithMatcher(
        xds_matcher=matcher,
        extension_config=EnvoyExtension(
            name="composite", typed_config=protobuf.Any.pack(Composite())
        ),
    )


def _run(script: str) -> MatcherOnMatch:
    lua = Lua(default_source_code=DataSource(inline_string=script))
    action = ExecuteFilterAction(
        typed_config=EnvoyExtension(name="script", typed_config=protobuf.Any.pack(lua))
    )
    return MatcherOnMatch(
        action=TypedExtensionConfig(name="run", typed_config=protobuf.Any.pack(action))
    )


def _there(header: str) -> MatcherMatcherListPredicate:
    anything = RegexMatcher(regex=".*", google_re2=RegexMatcherGoogleRe2())
    return MatcherMatcherListPredicate(
        single_predicate=MatcherMatcherListPredicateSinglePredicate(
            input=_header(header), value_match=StringMatcher(safe_regex=anything)
        )
    )


def _header(name: str) -> TypedExtensionConfig:
    there = HttpRequestHeaderMatchInput(header_name=name)
    return TypedExtensionConfig(name="header", typed_config=protobuf.Any.pack(there))

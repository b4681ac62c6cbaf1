"""Which headers of a caller reach the servers.

A gRPC server keeps what it could not read in a header in its connection's table of headers, and
finds it again in calls of other callers (grpc/grpc issue 34721). So nothing passes that gRPC would
read: not by name, which patterns here decide, nor by value, which `scripts` looks at.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from envoy_data_plane.envoy.config.common.mutation_rules.v3 import HeaderMutation as Mutation
from envoy_data_plane.envoy.config.common.mutation_rules.v3 import HeaderMutationRemoveOnMatch
from envoy_data_plane.envoy.config.core.v3 import (
    HeaderValue,
    HeaderValueOption,
)
from envoy_data_plane.envoy.config.core.v3 import HeaderValueOptionHeaderAppendAction as _Append
from envoy_data_plane.envoy.extensions.filters.http.header_mutation.v3 import (
    HeaderMutation,
    Mutations,
)
from envoy_data_plane.envoy.type.matcher.v3 import RegexMatcher, StringMatcher

NOT_FROM_OUTSIDE = (
    # What Envoy tells the server about the call as it came. Nobody else may say it: it decides
    # whether errors name fields in JSON, and whether a query is looked at.
    "x-envoy-original-path",
    "x-envoy-original-method",
    # Pages of other programs on the same host may have set some; nobody here reads them.
    "cookie",
)
# The proof of an internal service, which nobody brings from outside.
SERVICE_PROOF_HEADER = "x-service-auth"
# What only Envoy and the server need to know from each other.
PRIVATE_ANSWER_HEADERS = ("grpc-accept-encoding", "x-envoy-upstream-service-time")
# Of all that begins like this, gRPC callers may send these.
RESERVED_PREFIX = "grpc-"
GRPC_REQUEST_HEADERS = ("grpc-accept-encoding", "grpc-encoding", "grpc-timeout")
_EVERY_NAME = ".*"
# Pseudo headers begin with a colon; taking one away would break the request.
_ODD_NAME = "[^a-z0-9:-].*|[^:].*[^a-z0-9-].*"
_BINARY_NAME = ".*-bin"


def header_names(*, remove: Sequence[str], varies_by_origin: bool) -> HeaderMutation:
    """Takes away what a caller may not send, and what is nobody's business in an answer."""
    answers = [Mutation(remove=name) for name in PRIVATE_ANSWER_HEADERS]
    if varies_by_origin:
        # The CORS filter repeats the page's origin, so a cache keeps one answer an origin.
        vary = _header("vary", "origin", _Append.APPEND_IF_EXISTS_OR_ADD)
        answers.append(Mutation(append=vary))
    reserved = all_but(RESERVED_PREFIX, GRPC_REQUEST_HEADERS)
    return HeaderMutation(
        mutations=Mutations(
            request_mutations=[
                *(Mutation(remove=name) for name in remove),
                _remove_on_match(f"{reserved}|{_BINARY_NAME}|{_ODD_NAME}"),
                # gRPC takes no other value, and hangs up without this one.
                Mutation(append=_header("te", "trailers", _Append.OVERWRITE_IF_EXISTS_OR_ADD)),
            ],
            # No client of gRPC or HTTP has anything to say after its request.
            request_trailers_mutations=[_remove_on_match(_EVERY_NAME)],
            response_mutations=answers,
        )
    )


def all_but(prefix: str, names: Sequence[str]) -> str:
    """A pattern for all names that begin with the prefix and are none of these.

    Envoy's patterns know no "but": each place in which a name can differ is spelled out.
    """

    def others(endings: Sequence[str]) -> Iterator[str]:
        if "" not in endings:
            # It ends too early.
            yield ""
        heads = "".join(sorted({ending[0] for ending in endings if ending}))
        # The hyphen stands last, where it means itself.
        yield f"[^{heads.replace('-', '')}{'-' if '-' in heads else ''}].*" if heads else ".+"
        for head in heads:
            rest = [ending[1:] for ending in endings if ending.startswith(head)]
            yield f"{head}(?:{'|'.join(others(rest))})"

    return f"{prefix}(?:{'|'.join(others([name.removeprefix(prefix) for name in names]))})"


def _header(name: str, value: str, action: _Append) -> HeaderValueOption:
    return HeaderValueOption(header=HeaderValue(key=name, value=value), append_action=action)


def _remove_on_match(pattern: str) -> Mutation:
    names = StringMatcher(safe_regex=RegexMatcher(regex=pattern))
    return Mutation(remove_on_match=HeaderMutationRemoveOnMatch(key_matcher=names))

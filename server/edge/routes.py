"""Where calls go.

Routes are matched twice for a call in JSON: on its JSON path, which finds the CORS policy, and,
once it is turned into gRPC, on its gRPC path, which finds the method.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from envoy_data_plane.envoy.config.core.v3 import (
    HeaderValue,
    HeaderValueOption,
    HeaderValueOptionHeaderAppendAction,
    Metadata,
)
from envoy_data_plane.envoy.config.route.v3 import (
    HeaderMatcher,
    RetryPolicy,
    RetryPolicyRetryHostPredicate,
    Route,
    RouteAction,
    RouteActionClusterNotFoundResponseCode,
    RouteConfiguration,
    RouteMatch,
    RouteMatchConnectMatcher,
    RouteMatchGrpcRouteMatchOptions,
    VirtualHost,
)
from envoy_data_plane.envoy.extensions.filters.http.buffer.v3 import Buffer, BufferPerRoute
from envoy_data_plane.envoy.extensions.filters.http.cors.v3 import CorsPolicy
from envoy_data_plane.envoy.extensions.retry.host.previous_hosts.v3 import PreviousHostsPredicate
from envoy_data_plane.envoy.type.matcher.v3 import StringMatcher
from envoy_data_plane.google import protobuf

from infrastructure.rpc.rate_class import REQUEST_BYTES_MAX, RateClass
from server.edge import cors
from server.edge.cluster import MESH, PUBLIC, Door
from server.edge.contract import PublicMethod, first_segment
from server.edge.limits import (
    BODY_LIMIT_FILTER,
    RATE_LIMIT_FILTER,
    VERB_WITH_BODY,
    body_limits,
    grpc_body_limit,
    method_limit,
)
from server.edge.settings import EdgeSettings

CORS_FILTER = "envoy.filters.http.cors"

# No cluster has this name. A route to it answers 404, and UNIMPLEMENTED to native gRPC callers.
# A direct response would do the same but carries no CORS headers, and an empty cluster would
# answer 503.
NOWHERE = "nowhere"

UNARY_TIMEOUT = timedelta(seconds=15)
NO_TIMEOUT = timedelta()
# Repeats only calls that no server has begun to work on, so every method may be repeated.
RETRY_ON = "connect-failure,refused-stream,reset-before-request"
RETRIES_MAX = 2
RETRY_HOST_ATTEMPTS_MAX = 3
# Where a route says how many bytes it takes, for the refusal of more.
METADATA = "guerdon"
BODY_BYTES_MAX_KEY = "body_bytes_max"

ANY_PAGE_AUDIENCES = ("/user", "/common")
DASHBOARD_AUDIENCE = "/business"


def public_routes(edge: EdgeSettings, methods: Sequence[PublicMethod]) -> RouteConfiguration:
    """One route a method, by its exact gRPC path; every other path leads nowhere."""
    policies = _policies(edge)
    routes = [
        _method_route(method, PUBLIC, pages=policies.get(method.audience), limited_by=edge)
        for method in methods
    ]
    limits = body_limits(methods)
    by_segment = _policies(edge, segments_of_shop_pages(methods))
    routes += [
        route
        for segment in sorted({*limits, *by_segment})
        for route in _segment_routes(
            segment, _to_nowhere(), limits.get(segment), by_segment.get(segment)
        )
    ]
    routes += [
        _preflight_route(method, pages)
        for method in methods
        if (pages := policies.get(method.audience)) is not None
    ]
    routes += [
        Route(
            name="other",
            match=RouteMatch(prefix="/"),
            route=_to_nowhere(),
            # Nobody waits for the body of a call to nothing.
            typed_per_filter_config=_without_body_limit(),
        )
    ]
    return _configuration("public", routes)


def _policies(
    edge: EdgeSettings, of_shop_pages: Sequence[str] = ANY_PAGE_AUDIENCES
) -> dict[str, CorsPolicy]:
    """By audience, which pages may call; of the others none may."""
    return {
        **dict.fromkeys(of_shop_pages, cors.any_page(edge.client_id_headers)),
        DASHBOARD_AUDIENCE: cors.pages_of(edge.dashboard_origins, edge.client_id_headers),
    }


def segments_of_shop_pages(methods: Sequence[PublicMethod]) -> tuple[str, ...]:
    """The first segments of all paths that shop pages call, older ones included."""
    found = {
        first_segment(path)
        for method in methods
        if method.audience in ANY_PAGE_AUDIENCES
        for path in method.json_paths
    }
    return tuple(sorted({*ANY_PAGE_AUDIENCES, *found}))


def mesh_routes(methods: Sequence[PublicMethod]) -> RouteConfiguration:
    """Everything that a server process serves.

    Methods with a route get its timeout, since callers in JSON bring no deadline. The others are
    called by gRPC, and may be streams: their callers say how long they wait.
    """
    servers = RouteAction(cluster=MESH.cluster, timeout=NO_TIMEOUT)
    routes = [_method_route(method, MESH, pages=None, limited_by=None) for method in methods]
    routes += [
        # Native gRPC, which may be a stream without an end. The server has a limit of its own.
        Route(
            name="grpc",
            match=RouteMatch(
                prefix="/", grpc=RouteMatchGrpcRouteMatchOptions(), headers=[_by_post()]
            ),
            route=servers,
            typed_per_filter_config=_without_body_limit(),
        ),
        Route(
            name="grpc, another verb",
            match=RouteMatch(prefix="/", grpc=RouteMatchGrpcRouteMatchOptions()),
            route=_to_nowhere(),
            typed_per_filter_config=_without_body_limit(),
        ),
    ]
    # JSON, until it is turned into gRPC.
    routes += [
        route
        for segment, most in body_limits(methods).items()
        for route in _segment_routes(segment, servers, most, None)
    ]
    routes += [Route(name="other", match=RouteMatch(prefix="/"), route=servers)]
    return _configuration("mesh", routes)


def _configuration(name: str, routes: list[Route]) -> RouteConfiguration:
    # It has no path, so that no other route fits, and what comes behind it would be kept.
    tunnel = Route(
        name="tunnel",
        match=RouteMatch(connect_matcher=RouteMatchConnectMatcher()),
        route=_to_nowhere(),
        typed_per_filter_config=_without_body_limit(),
    )
    return RouteConfiguration(
        name=name,
        # Servers unpack messages themselves, whatever this says. Without it gRPC refuses a packed
        # one in its own words, as a fault of ours.
        request_headers_to_add=[
            HeaderValueOption(
                header=HeaderValue(key="grpc-encoding", value="gzip"),
                append_action=HeaderValueOptionHeaderAppendAction.OVERWRITE_IF_EXISTS_OR_ADD,
            )
        ],
        # Otherwise Envoy refuses routes to nowhere.
        validate_clusters=False,
        virtual_hosts=[
            VirtualHost(
                name=name, domains=["*"], routes=[tunnel, *routes], retry_policy=_retry_policy()
            )
        ],
    )


def _method_route(
    method: PublicMethod, door: Door, *, pages: CorsPolicy | None, limited_by: EdgeSettings | None
) -> Route:
    most = REQUEST_BYTES_MAX[method.rate_class]
    filters = {BODY_LIMIT_FILTER: _body_limit(grpc_body_limit(most))}
    if limited_by is not None:
        limit = method_limit(limited_by, method.rate_class)
        filters[RATE_LIMIT_FILTER] = protobuf.Any.pack(limit)
    if pages is not None:
        filters[CORS_FILTER] = protobuf.Any.pack(pages)
    return Route(
        name=method.full_name,
        # gRPC has one verb; the server would blame itself for another.
        match=RouteMatch(path=method.grpc_path, headers=[_by_post()]),
        route=RouteAction(
            cluster=door.cluster, timeout=NO_TIMEOUT if method.streams else UNARY_TIMEOUT
        ),
        metadata=_told(most),
        typed_per_filter_config=filters,
    )


def _preflight_route(method: PublicMethod, pages: CorsPolicy) -> Route:
    """Where a page asks whether it may call a method by gRPC-Web."""
    return Route(
        name=f"{method.full_name}, another verb",
        match=RouteMatch(path=method.grpc_path),
        route=_to_nowhere(),
        typed_per_filter_config={
            **_without_body_limit(),
            CORS_FILTER: protobuf.Any.pack(pages),
        },
    )


def _segment_routes(
    segment: str, action: RouteAction, most: int | None, pages: CorsPolicy | None
) -> list[Route]:
    """What is below the first segment of a JSON path, before it is turned into gRPC."""
    if most is None:
        return [_segment_route(segment, action, None, pages)]
    # Of other verbs nobody reads a body, and no limit of large ones counts it.
    rest = min(most, REQUEST_BYTES_MAX[RateClass.PROBE])
    return [
        _segment_route(segment, action, most, pages, verbs=[VERB_WITH_BODY]),
        _segment_route(segment, action, rest, pages),
    ]


def _segment_route(
    segment: str,
    action: RouteAction,
    most: int | None,
    pages: CorsPolicy | None,
    *,
    verbs: Sequence[HeaderMatcher] = (),
) -> Route:
    filters = _without_body_limit() if most is None else {BODY_LIMIT_FILTER: _body_limit(most)}
    if pages is not None:
        filters[CORS_FILTER] = protobuf.Any.pack(pages)
    return Route(
        name=segment,
        match=RouteMatch(path_separated_prefix=segment, headers=list(verbs)),
        route=action,
        metadata=None if most is None else _told(most),
        typed_per_filter_config=filters,
    )


def _body_limit(most: int) -> protobuf.Any:
    return protobuf.Any.pack(BufferPerRoute(buffer=Buffer(max_request_bytes=most)))


def _without_body_limit() -> dict[str, protobuf.Any]:
    return {BODY_LIMIT_FILTER: protobuf.Any.pack(BufferPerRoute(disabled=True))}


def _told(most: int) -> Metadata:
    limit = protobuf.Struct.from_dict({BODY_BYTES_MAX_KEY: str(most)})
    return Metadata(filter_metadata={METADATA: limit})


def _by_post() -> HeaderMatcher:
    return HeaderMatcher(name=":method", string_match=StringMatcher(exact="POST"))


def _to_nowhere() -> RouteAction:
    return RouteAction(
        cluster=NOWHERE,
        cluster_not_found_response_code=RouteActionClusterNotFoundResponseCode.NOT_FOUND,
    )


def _retry_policy() -> RetryPolicy:
    return RetryPolicy(
        retry_on=RETRY_ON,
        num_retries=RETRIES_MAX,
        # Not at the process that just failed.
        retry_host_predicate=[
            RetryPolicyRetryHostPredicate(
                name="envoy.retry_host_predicates.previous_hosts",
                typed_config=protobuf.Any.pack(PreviousHostsPredicate()),
            )
        ],
        host_selection_retry_max_attempts=RETRY_HOST_ATTEMPTS_MAX,
    )

"""Where calls go.

Routes are matched twice for a call in JSON: on its JSON path, which finds the CORS policy, and,
once it is turned into gRPC, on its gRPC path, which finds the method.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta

from envoy_data_plane.envoy.config.core.v3 import (
    HeaderValue,
    HeaderValueOption,
    RuntimeFractionalPercent,
)
from envoy_data_plane.envoy.config.route.v3 import (
    RetryPolicy,
    RetryPolicyRetryHostPredicate,
    Route,
    RouteAction,
    RouteActionClusterNotFoundResponseCode,
    RouteConfiguration,
    RouteMatch,
    RouteMatchGrpcRouteMatchOptions,
    VirtualHost,
)
from envoy_data_plane.envoy.extensions.filters.http.buffer.v3 import BufferPerRoute
from envoy_data_plane.envoy.extensions.filters.http.cors.v3 import CorsPolicy
from envoy_data_plane.envoy.extensions.filters.http.local_ratelimit.v3 import LocalRateLimit
from envoy_data_plane.envoy.extensions.retry.host.previous_hosts.v3 import PreviousHostsPredicate
from envoy_data_plane.envoy.type.v3 import (
    FractionalPercent,
    FractionalPercentDenominatorType,
    TokenBucket,
)
from envoy_data_plane.google import protobuf

from infrastructure.rpc.rate_class import RateClass
from server.edge import cors
from server.edge.cluster import SERVERS
from server.edge.contract import PublicMethod
from server.edge.settings import EdgeSettings, RateLimit

CORS_FILTER = "envoy.filters.http.cors"
BODY_LIMIT_FILTER = "envoy.filters.http.buffer"
RATE_LIMIT_FILTER = "envoy.filters.http.local_ratelimit"

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
RETRY_AFTER_SECONDS = 1

ANY_PAGE_AUDIENCES = ("/user", "/common")
DASHBOARD_AUDIENCE = "/business"


def public_routes(edge: EdgeSettings, methods: Sequence[PublicMethod]) -> RouteConfiguration:
    """One route a method, by its exact gRPC path; every other path leads nowhere."""
    any_page = cors.any_page(edge.client_id_headers)
    dashboards = cors.pages_of(edge.dashboard_origins, edge.client_id_headers)
    by_rate_class = {RateClass.TRACKING: any_page, RateClass.DASHBOARD: dashboards}
    routes = [
        _method_route(
            method,
            limit=edge.rate_limits[method.rate_class],
            pages=by_rate_class.get(method.rate_class),
        )
        for method in methods
    ]
    prefixes = (*ANY_PAGE_AUDIENCES, *_other_paths_of_shop_pages(methods))
    routes += [_audience_route(prefix, any_page) for prefix in prefixes]
    routes += [_audience_route(DASHBOARD_AUDIENCE, dashboards)]
    routes += [Route(name="other", match=RouteMatch(prefix="/"), route=_to_nowhere())]
    return _configuration("public", routes)


def mesh_routes(methods: Sequence[PublicMethod]) -> RouteConfiguration:
    """Everything that a server process serves.

    Methods with a route get its timeout, since callers in JSON bring no deadline. The others are
    called by gRPC, and may be streams: their callers say how long they wait.
    """
    routes = [_method_route(method, limit=None, pages=None) for method in methods]
    routes += [
        # Native gRPC, which may be a stream without an end. The server has a limit of its own.
        Route(
            name="grpc",
            match=RouteMatch(prefix="/", grpc=RouteMatchGrpcRouteMatchOptions()),
            route=RouteAction(cluster=SERVERS, timeout=NO_TIMEOUT),
            typed_per_filter_config={
                BODY_LIMIT_FILTER: protobuf.Any.pack(BufferPerRoute(disabled=True))
            },
        ),
        # JSON, until it is turned into gRPC.
        Route(
            name="other",
            match=RouteMatch(prefix="/"),
            route=RouteAction(cluster=SERVERS, timeout=NO_TIMEOUT),
        ),
    ]
    return _configuration("mesh", routes)


def rate_limit(limit: RateLimit | None) -> LocalRateLimit:
    """The filter's configuration of one route; without a limit, that of all the others."""
    if limit is None:
        return LocalRateLimit(stat_prefix="rate_limit")
    always = RuntimeFractionalPercent(
        default_value=FractionalPercent(
            numerator=100, denominator=FractionalPercentDenominatorType.HUNDRED
        )
    )
    return LocalRateLimit(
        stat_prefix="rate_limit",
        token_bucket=TokenBucket(
            max_tokens=limit.burst,
            tokens_per_fill=limit.per_second,
            fill_interval=timedelta(seconds=1),
        ),
        filter_enabled=always,
        filter_enforced=always,
        # Otherwise native gRPC callers read UNAVAILABLE and try again at once.
        rate_limited_as_resource_exhausted=True,
        response_headers_to_add=[
            HeaderValueOption(header=HeaderValue(key="retry-after", value=str(RETRY_AFTER_SECONDS)))
        ],
    )


def _configuration(name: str, routes: list[Route]) -> RouteConfiguration:
    return RouteConfiguration(
        name=name,
        # Otherwise Envoy refuses routes to nowhere.
        validate_clusters=False,
        virtual_hosts=[
            VirtualHost(name=name, domains=["*"], routes=routes, retry_policy=_retry_policy())
        ],
    )


def _method_route(
    method: PublicMethod, *, limit: RateLimit | None, pages: CorsPolicy | None
) -> Route:
    filters = {}
    if limit is not None:
        filters[RATE_LIMIT_FILTER] = protobuf.Any.pack(rate_limit(limit))
    if pages is not None:
        filters[CORS_FILTER] = protobuf.Any.pack(pages)
    return Route(
        name=method.full_name,
        match=RouteMatch(path=method.grpc_path),
        route=RouteAction(cluster=SERVERS, timeout=NO_TIMEOUT if method.streams else UNARY_TIMEOUT),
        typed_per_filter_config=filters,
    )


def _audience_route(prefix: str, pages: CorsPolicy) -> Route:
    return Route(
        name=prefix,
        match=RouteMatch(path_separated_prefix=prefix),
        route=_to_nowhere(),
        typed_per_filter_config={CORS_FILTER: protobuf.Any.pack(pages)},
    )


def _to_nowhere() -> RouteAction:
    return RouteAction(
        cluster=NOWHERE,
        cluster_not_found_response_code=RouteActionClusterNotFoundResponseCode.NOT_FOUND,
    )


def _other_paths_of_shop_pages(methods: Sequence[PublicMethod]) -> tuple[str, ...]:
    """The first segments of older paths, outside of the audiences, that shop pages call."""
    audiences = (*ANY_PAGE_AUDIENCES, DASHBOARD_AUDIENCE)

    def found() -> Iterator[str]:
        for method in methods:
            if method.rate_class is RateClass.TRACKING:
                for path in method.json_paths:
                    segment = "/" + path.split("/")[1]
                    if segment not in audiences:
                        yield segment

    return tuple(sorted(set(found())))


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

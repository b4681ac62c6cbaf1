"""Queries of strict routes pass Envoy unread, since the server reads them itself.

Read by Envoy they were refused in its own words, with the names that fields have in the protos,
and a long one cost tens of milliseconds before anybody had shown a proof.
"""

from __future__ import annotations

from collections.abc import Sequence

from envoy_data_plane.envoy.config.route.v3 import Route, RouteConfiguration, RouteMatch
from envoy_data_plane.envoy.extensions.filters.http.grpc_json_transcoder.v3 import (
    GrpcJsonTranscoder,
    GrpcJsonTranscoderRequestValidationOptions,
)
from envoy_data_plane.envoy.extensions.filters.network.http_connection_manager.v3 import HttpFilter
from envoy_data_plane.google import protobuf

from infrastructure.rpc.strict_routes import AUDIENCE

TRANSCODER = "envoy.filters.http.grpc_json_transcoder"


def with_open_queries(
    routes: RouteConfiguration, filters: Sequence[HttpFilter]
) -> RouteConfiguration:
    """The routes, with a transcoder of its own for paths that are read strictly.

    It differs from the listener's in queries alone: one that names a field of the body is left out
    instead of refused.
    """
    [host] = routes.virtual_hosts
    named = [route for route in host.routes if route.name == AUDIENCE]
    if not named:
        # Before the routes that take every path, and like the last of them.
        first = next(i for i, each in enumerate(host.routes) if each.match and each.match.prefix)
        named = [
            Route(
                name=AUDIENCE,
                match=RouteMatch(path_separated_prefix=AUDIENCE),
                route=host.routes[-1].route,
            )
        ]
        host.routes[first:first] = named
    for route in named:
        route.typed_per_filter_config[TRANSCODER] = protobuf.Any.pack(_open(filters))
    return routes


def _open(filters: Sequence[HttpFilter]) -> GrpcJsonTranscoder:
    [own] = [each.typed_config for each in filters if each.name == TRANSCODER]
    assert own is not None
    transcoder = GrpcJsonTranscoder.parse(own.value)
    transcoder.request_validation_options = GrpcJsonTranscoderRequestValidationOptions(
        reject_unknown_method=True
    )
    return transcoder

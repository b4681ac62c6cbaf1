"""What every request passes on its way through a listener, in this order."""

from __future__ import annotations

from collections.abc import Sequence

import betterproto2
from envoy_data_plane.envoy.extensions.filters.http.buffer.v3 import Buffer
from envoy_data_plane.envoy.extensions.filters.http.cors.v3 import Cors
from envoy_data_plane.envoy.extensions.filters.http.grpc_json_transcoder.v3 import (
    GrpcJsonTranscoder,
    GrpcJsonTranscoderPrintOptions,
    GrpcJsonTranscoderRequestValidationOptions,
)
from envoy_data_plane.envoy.extensions.filters.http.grpc_web.v3 import GrpcWeb
from envoy_data_plane.envoy.extensions.filters.http.router.v3 import Router
from envoy_data_plane.envoy.extensions.filters.network.http_connection_manager.v3 import HttpFilter
from envoy_data_plane.google import protobuf

from infrastructure.rpc.rate_class import REQUEST_BYTES_MAX, UNROUTED_REQUEST_BYTES_MAX
from server.edge.contract import PublicMethod, services_of
from server.edge.headers import (
    NOT_FROM_OUTSIDE,
    SERVICE_PROOF_HEADER,
    header_names,
)
from server.edge.limits import (
    ADDRESS_LIMIT_FILTER,
    BODY_LIMIT_FILTER,
    RATE_LIMIT_FILTER,
    address_limit,
    grpc_body_limit,
    no_limit,
)
from server.edge.routes import CORS_FILTER
from server.edge.scripts import queries, scripts
from server.edge.settings import EdgeSettings

# A page or an order as JSON, when nearly every character is one that JSON spells out.
ANSWER_BYTES_MAX = 8 << 20


def public_filters(edge: EdgeSettings, methods: Sequence[PublicMethod]) -> list[HttpFilter]:
    """Those of the public listener, for the methods that have routes."""
    return [
        _filter(
            "envoy.filters.http.header_mutation",
            header_names(remove=(*NOT_FROM_OUTSIDE, SERVICE_PROOF_HEADER), varies_by_origin=True),
        ),
        # Before all that refuses, so that the page can read why.
        _filter(CORS_FILTER, Cors()),
        # Before those as well: its callers read a refusal as they read an answer.
        _filter("envoy.filters.http.grpc_web", GrpcWeb()),
        _filter("scripts", scripts()),
        # Before a body is read: whoever sends too many has none of them looked at.
        _filter(ADDRESS_LIMIT_FILTER, address_limit(edge, methods)),
        _filter("queries", queries()),
        _body_limit(),
        _filter("envoy.filters.http.grpc_json_transcoder", _transcoder(edge, services_of(methods))),
        # After the transcoder, so that one limit counts a method's calls of every protocol.
        _filter(RATE_LIMIT_FILTER, no_limit()),
        _filter("envoy.filters.http.router", Router()),
    ]


def mesh_filters(edge: EdgeSettings, methods: Sequence[PublicMethod]) -> list[HttpFilter]:
    """Those of the mesh listener: no CORS, no rate limits; internal services keep their proof."""
    return [
        _filter(
            "envoy.filters.http.header_mutation",
            header_names(remove=NOT_FROM_OUTSIDE, varies_by_origin=False),
        ),
        _filter("scripts", scripts()),
        _filter("queries", queries()),
        _body_limit(),
        _filter("envoy.filters.http.grpc_json_transcoder", _transcoder(edge, services_of(methods))),
        _filter("envoy.filters.http.router", Router()),
    ]


def _body_limit() -> HttpFilter:
    """Before the transcoder, whose own limit counts only bodies that it hands on as they are.

    Routes have smaller limits of their own.
    """
    largest = grpc_body_limit(max(UNROUTED_REQUEST_BYTES_MAX, *REQUEST_BYTES_MAX.values()))
    return _filter(BODY_LIMIT_FILTER, Buffer(max_request_bytes=largest))


def _transcoder(edge: EdgeSettings, services: Sequence[str]) -> GrpcJsonTranscoder:
    return GrpcJsonTranscoder(
        proto_descriptor=edge.descriptor_path,
        services=list(services),
        convert_grpc_status=True,
        case_insensitive_enum_parsing=True,
        # The server reads queries itself, strictly; others do not come so far.
        ignore_unknown_query_parameters=True,
        max_request_body_size=max(REQUEST_BYTES_MAX.values()),
        max_response_body_size=ANSWER_BYTES_MAX,
        print_options=GrpcJsonTranscoderPrintOptions(
            always_print_primitive_fields=True, stream_newline_delimited=True
        ),
        request_validation_options=GrpcJsonTranscoderRequestValidationOptions(
            reject_unknown_method=True,
        ),
    )


def _filter(name: str, config: betterproto2.Message) -> HttpFilter:
    return HttpFilter(name=name, typed_config=protobuf.Any.pack(config))

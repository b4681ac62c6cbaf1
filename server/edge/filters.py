"""What every request passes on its way through a listener, in this order."""

from __future__ import annotations

from collections.abc import Sequence

import betterproto2
from envoy_data_plane.envoy.config.common.mutation_rules.v3 import HeaderMutation as Mutation
from envoy_data_plane.envoy.config.core.v3 import (
    HeaderValue,
    HeaderValueOption,
    HeaderValueOptionHeaderAppendAction,
)
from envoy_data_plane.envoy.extensions.filters.http.buffer.v3 import Buffer
from envoy_data_plane.envoy.extensions.filters.http.cors.v3 import Cors
from envoy_data_plane.envoy.extensions.filters.http.grpc_json_transcoder.v3 import (
    GrpcJsonTranscoder,
    GrpcJsonTranscoderPrintOptions,
    GrpcJsonTranscoderRequestValidationOptions,
)
from envoy_data_plane.envoy.extensions.filters.http.grpc_web.v3 import GrpcWeb
from envoy_data_plane.envoy.extensions.filters.http.header_mutation.v3 import (
    HeaderMutation,
    Mutations,
)
from envoy_data_plane.envoy.extensions.filters.http.router.v3 import Router
from envoy_data_plane.envoy.extensions.filters.network.http_connection_manager.v3 import HttpFilter
from envoy_data_plane.google import protobuf

from server.edge.routes import BODY_LIMIT_FILTER, CORS_FILTER, RATE_LIMIT_FILTER, rate_limit
from server.edge.settings import EdgeSettings

# A page or an order as JSON, when nearly every character is one that JSON spells out.
ANSWER_BYTES_MAX = 8 << 20
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


def public_filters(edge: EdgeSettings, services: Sequence[str]) -> list[HttpFilter]:
    """Those of the public listener, for the services that have routes."""
    return [
        _headers(remove=(*NOT_FROM_OUTSIDE, SERVICE_PROOF_HEADER), varies_by_origin=True),
        # Before the transcoder, so that what that refuses can be read by the page.
        _filter(CORS_FILTER, Cors()),
        _filter("envoy.filters.http.grpc_web", GrpcWeb()),
        _body_limit(edge),
        _filter("envoy.filters.http.grpc_json_transcoder", _transcoder(edge, services)),
        # After the transcoder, so that one limit counts a method's calls of every protocol.
        _filter(RATE_LIMIT_FILTER, rate_limit(None)),
        _filter("envoy.filters.http.router", Router()),
    ]


def mesh_filters(edge: EdgeSettings, services: Sequence[str]) -> list[HttpFilter]:
    """Those of the mesh listener: no CORS, no limits, and internal services keep their proof."""
    return [
        _headers(remove=NOT_FROM_OUTSIDE, varies_by_origin=False),
        _body_limit(edge),
        _filter("envoy.filters.http.grpc_json_transcoder", _transcoder(edge, services)),
        _filter("envoy.filters.http.router", Router()),
    ]


def _body_limit(edge: EdgeSettings) -> HttpFilter:
    """Before the transcoder, whose own limit counts only bodies that it hands on as they are."""
    return _filter(BODY_LIMIT_FILTER, Buffer(max_request_bytes=edge.body_bytes_max))


def _transcoder(edge: EdgeSettings, services: Sequence[str]) -> GrpcJsonTranscoder:
    return GrpcJsonTranscoder(
        proto_descriptor=edge.descriptor_path,
        services=list(services),
        convert_grpc_status=True,
        case_insensitive_enum_parsing=True,
        max_request_body_size=edge.body_bytes_max,
        max_response_body_size=ANSWER_BYTES_MAX,
        print_options=GrpcJsonTranscoderPrintOptions(
            always_print_primitive_fields=True, stream_newline_delimited=True
        ),
        request_validation_options=GrpcJsonTranscoderRequestValidationOptions(
            reject_unknown_method=True,
            reject_unknown_query_parameters=True,
            reject_binding_body_field_collisions=True,
        ),
    )


def _headers(*, remove: Sequence[str], varies_by_origin: bool) -> HttpFilter:
    answers = [Mutation(remove=name) for name in PRIVATE_ANSWER_HEADERS]
    if varies_by_origin:
        # The CORS filter repeats the page's origin, so a cache keeps one answer an origin.
        vary = HeaderValueOption(
            header=HeaderValue(key="vary", value="origin"),
            append_action=HeaderValueOptionHeaderAppendAction.APPEND_IF_EXISTS_OR_ADD,
        )
        answers.append(Mutation(append=vary))
    mutations = Mutations(
        request_mutations=[Mutation(remove=name) for name in remove],
        response_mutations=answers,
    )
    return _filter("envoy.filters.http.header_mutation", HeaderMutation(mutations=mutations))


def _filter(name: str, config: betterproto2.Message) -> HttpFilter:
    return HttpFilter(name=name, typed_config=protobuf.Any.pack(config))

"""Which pages may call what."""

from __future__ import annotations

from collections.abc import Sequence

from envoy_data_plane.envoy.extensions.filters.http.cors.v3 import CorsPolicy
from envoy_data_plane.envoy.type.matcher.v3 import RegexMatcher, StringMatcher

METHODS = "GET, POST, PUT, PATCH, DELETE"
# What grpc-web adds to a request, and what it reads in an answer without a body.
GRPC_WEB_REQUEST_HEADERS = ("x-grpc-web", "x-user-agent", "grpc-timeout")
GRPC_WEB_ANSWER_HEADERS = ("grpc-status", "grpc-message", "grpc-status-details-bin")
REQUEST_HEADERS = ("content-type", "x-client-id", "x-request-id", *GRPC_WEB_REQUEST_HEADERS)
ANSWER_HEADERS = ("x-request-id", "retry-after", *GRPC_WEB_ANSWER_HEADERS)
DASHBOARD_HEADERS = ("x-business-auth",)
# Two hours; browsers remember no longer.
MAX_AGE_SECONDS = 7200


def any_page(client_id_headers: Sequence[str]) -> CorsPolicy:
    """Pages of every origin, without cookies."""
    every_origin = StringMatcher(safe_regex=RegexMatcher(regex=".*"))
    return _policy([every_origin], (*REQUEST_HEADERS, *client_id_headers))


def pages_of(origins: Sequence[str], client_id_headers: Sequence[str]) -> CorsPolicy:
    """Dashboards: pages of exactly these origins, without cookies."""
    return _policy(
        [StringMatcher(exact=origin) for origin in origins],
        (*REQUEST_HEADERS, *client_id_headers, *DASHBOARD_HEADERS),
    )


def _policy(origins: list[StringMatcher], request_headers: Sequence[str]) -> CorsPolicy:
    return CorsPolicy(
        allow_origin_string_match=origins,
        allow_methods=METHODS,
        allow_headers=", ".join(request_headers),
        expose_headers=", ".join(ANSWER_HEADERS),
        max_age=str(MAX_AGE_SECONDS),
    )

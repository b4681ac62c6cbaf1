"""Which routes are read strictly, and how their bodies reach the server.

Where rules, settings and money are written, nothing that a caller sends may be dropped in
silence. Envoy drops what it does not know, so it reads neither the bodies nor the queries of
these routes: by its own copy of the contract, their requests have the variables of the path and
one field more, which holds the body as it came.
"""

from __future__ import annotations

from google.api import http_pb2

AUDIENCE = "/business"
"""The first segment of every path whose requests are read strictly."""

RAW_BODY_NAME = "raw_body"
RAW_BODY_NUMBER = 99_999
"""The field of the copy, a `google.api.HttpBody`. No message of the contract has this number."""


def is_strict(rule: http_pb2.HttpRule) -> bool:
    """Whether the requests of a route are read strictly."""
    verb = rule.WhichOneof("pattern")
    path = rule.custom.path if verb == "custom" else getattr(rule, verb) if verb else ""
    return path == AUDIENCE or path.startswith(AUDIENCE + "/")

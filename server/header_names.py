"""Names of headers, as an operator writes them."""

from __future__ import annotations

import re

_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
# What says something else already: connections, gRPC, Envoy, proofs of other callers.
_TAKEN = re.compile(
    r"(grpc|x-envoy|x-forwarded|sec|proxy|content|access-control|if|x-amzn|x-b3)(-.*)?|.*-bin"
    r"|set-cookie|server|location|x-http-method-override|true-client-ip|cf-connecting-ip|b3"
    r"|dnt|cache-control|pragma|via|forwarded|keep-alive|priority|upgrade-insecure-requests|date"
    r"|save-data|traceparent|tracestate|baggage|x-real-ip|x-request-start|http2-settings|early-data"
    r"|host|connection|te|trailer|transfer-encoding|upgrade|expect|accept(-.*)?|user-agent|cookie"
    r"|origin|referer|range|authorization|x-service-auth|x-business-auth|x-request-id"
    r"|x-hmac-sha256|x-test|x-webhook-id|webhook-.*"
)


def read_header_names(text: str) -> tuple[str, ...]:
    """Names between commas, in lower case.

    Raises:
        ValueError: one is no name of a header, or of one that means something else.
    """
    names = tuple(name.strip().lower() for name in text.split(",") if name.strip())
    for name in names:
        if _NAME.fullmatch(name) is None:
            message = f"has {name!r}, which is no name of a header: letters, digits and hyphens"
            raise ValueError(message)
        if _TAKEN.fullmatch(name) is not None:
            message = f"has {name}, which means something else in every request"
            raise ValueError(message)
    return names

"""A refusal's details, as gRPC has them in a header."""

from __future__ import annotations

import base64

from google.rpc import error_details_pb2, status_pb2

ERROR_DOMAIN = "mesh.guerdon"


def details_of(code: int, reason: str, message: str) -> str:
    """A refusal's status as gRPC has it in a header: Base64, without the signs that fill it up."""
    status = status_pb2.Status(code=code, message=message)
    status.details.add().Pack(error_details_pb2.ErrorInfo(reason=reason, domain=ERROR_DOMAIN))
    return base64.b64encode(status.SerializeToString(deterministic=True)).rstrip(b"=").decode()

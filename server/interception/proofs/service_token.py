"""A service of ours shows the mesh's token."""

from __future__ import annotations

import hmac

from infrastructure.rpc.caller import Caller, CallerKind
from server.interception.chain import Call

HEADER = "x-service-auth"


class ServiceToken:
    """Compared in constant time. Envoy takes the header away from whoever calls from outside."""

    kind = CallerKind.SERVICE
    headers = (HEADER,)
    description = f"header {HEADER}, on the mesh listener"

    def __init__(self, token: str) -> None:
        self._token = token.encode()

    async def prove(self, call: Call) -> Caller | None:
        token = call.header(HEADER)
        if token and hmac.compare_digest(token.encode(), self._token):
            return Caller(kind=CallerKind.SERVICE)
        return None

    def wrong(self, call: Call) -> str:
        return f"{HEADER} is not the service token." if call.header(HEADER) else ""

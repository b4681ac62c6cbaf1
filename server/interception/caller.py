"""Finds out who is calling, from proofs alone."""

from __future__ import annotations

import hmac
from collections.abc import Sequence

import grpc
from google.protobuf.message import Message

from infrastructure.rpc.caller import Caller, CallerKind, set_caller
from infrastructure.rpc.contract import Method
from server.interception.chain import Call, Handler
from server.interception.refusals import Refusal, Violation
from vocabulary.nobody import is_nobody

CLIENT_ID_CHARACTERS_MAX = 128
SIGNED_PREFIXES = ("x-hmac-", "x-webhook-", "webhook-")
"""How the headers begin that shops sign with, or that say which delivery it is."""

# People of a merchant's team have no proof yet; callers are told only what they can bring.
_PROOFS = {
    CallerKind.VISITOR: "header x-client-id",
    CallerKind.SERVICE: "header x-service-auth, on the mesh listener",
}


class CallerProof:
    """Proves the caller and refuses whom the method does not list."""

    def __init__(self, *, service_token: str, client_id_headers: Sequence[str]) -> None:
        self._service_token = service_token.encode()
        self._client_id_headers = ("x-client-id", *client_id_headers)
        self._proofs = frozenset(("x-service-auth", *self._client_id_headers))

    def wrap(self, method: Method, proceed: Handler) -> Handler:
        accepted = " or ".join(
            f"{kind.name} ({_PROOFS[kind]})" for kind in sorted(method.callers) if kind in _PROOFS
        )

        async def step(request: Message, call: Call) -> Message:
            if call.repeated:
                self._refuse_two_proofs(call)
            caller = self._caller(call, method)
            if caller is None:
                wrong = "x-service-auth is not the service token. "
                said = wrong if call.header("x-service-auth") else ""
                raise Refusal(
                    code=grpc.StatusCode.UNAUTHENTICATED,
                    reason="CALLER_UNKNOWN",
                    message=f"{said}This call needs a proof of who is calling: {accepted}.",
                    metadata={"accepted": accepted},
                )
            if caller.kind not in method.callers:
                raise Refusal(
                    code=grpc.StatusCode.PERMISSION_DENIED,
                    reason="CALLER_REFUSED",
                    message=f"This call is not for you; it is for: {accepted}.",
                    metadata={"accepted": accepted},
                )
            set_caller(caller)
            return await proceed(request, call)

        return step

    def _refuse_two_proofs(self, call: Call) -> None:
        """Of two, one party looks at the first, another one at the last."""
        twice = [
            Violation(path=name, description="is sent several times; send it once")
            for name in call.repeated
            if name in self._proofs or name.startswith(SIGNED_PREFIXES)
        ]
        if twice:
            raise _invalid(twice)

    def _caller(self, call: Call, method: Method) -> Caller | None:
        """The caller that the method accepts, else any that is proven, else None."""
        if CallerKind.ANYONE in method.callers:
            return Caller(kind=CallerKind.ANYONE)
        if CallerKind.SHOP in method.callers:
            return Caller(kind=CallerKind.SHOP)
        service = self._service(call)
        if service is not None and service.kind in method.callers:
            return service
        visitor = self._visitor(call)
        if visitor is not None and visitor.kind in method.callers:
            return visitor
        return service or visitor

    def _service(self, call: Call) -> Caller | None:
        token = call.header("x-service-auth")
        if token and hmac.compare_digest(token.encode(), self._service_token):
            return Caller(kind=CallerKind.SERVICE)
        return None

    def _visitor(self, call: Call) -> Caller | None:
        """Whom the first header with a client id names; a faulty one is refused if none does."""
        violations: list[Violation] = []
        for header in self._client_id_headers:
            client_id = call.header(header)
            if not client_id:
                continue
            fault = _fault_of(client_id)
            if fault is None:
                return Caller(kind=CallerKind.VISITOR, client_id=client_id)
            violations.append(Violation(path=header, description=fault))
        if violations:
            raise _invalid(violations)
        return None


def _invalid(violations: Sequence[Violation]) -> Refusal:
    return Refusal(
        code=grpc.StatusCode.INVALID_ARGUMENT,
        reason="REQUEST_INVALID",
        message=" ".join(f"{each.path} {each.description}." for each in violations),
        violations=violations,
    )


def _fault_of(client_id: str) -> str | None:
    is_plain = client_id.isascii() and client_id.isprintable()
    if len(client_id) > CLIENT_ID_CHARACTERS_MAX or not is_plain:
        return f"must be 1 to {CLIENT_ID_CHARACTERS_MAX} printable ASCII characters"
    if is_nobody(client_id):
        # All who are called that would be one person, who collects strangers' orders.
        return f"is {client_id}, which stands for nobody; each browser has an id of its own"
    return None

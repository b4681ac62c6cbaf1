"""Finds out who is calling, from proofs alone."""

from __future__ import annotations

from collections.abc import Sequence

import grpc
from google.protobuf.message import Message

from infrastructure.rpc.caller import Caller, CallerKind, set_caller
from infrastructure.rpc.contract import Method
from server.interception.chain import BeforeCall, Call, Handler, Result
from server.interception.proofs.proof import Proof
from server.interception.refusals import Refusal, Violation
from server.interception.validation import request_invalid

SIGNED_PREFIXES = ("x-hmac-", "x-webhook-", "webhook-")
"""How the headers begin that shops sign with, or that say which delivery it is."""

_WITHOUT_PROOF = (CallerKind.ANYONE, CallerKind.SHOP)
"""Of whom no step asks a proof. A shop's is its signature, which the flow checks."""


class CallerProof(BeforeCall):
    """Proves the caller, by the first proof that the method accepts, and refuses all others."""

    def __init__(self, proofs: Sequence[Proof]) -> None:
        self._proofs = tuple(proofs)
        self._headers = frozenset(header for each in proofs for header in each.headers)

    def wrap(self, method: Method, proceed: Handler[Result]) -> Handler[Result]:
        # Callers are told only what they can bring: of some kinds there is no proof yet.
        accepted = " or ".join(
            f"{each.kind.name} ({each.description})"
            for each in sorted(self._proofs, key=lambda proof: proof.kind)
            if each.kind in method.callers
        )
        unproven = next((Caller(kind=k) for k in _WITHOUT_PROOF if k in method.callers), None)

        async def step(request: Message, call: Call) -> Result:
            if call.repeated:
                self._refuse_two_proofs(call)
            caller = unproven or await self._caller(call, method)
            if caller is None:
                wrong = [said for each in self._proofs if (said := each.wrong(call))]
                needed = f"This call needs a proof of who is calling: {accepted}."
                raise Refusal(
                    code=grpc.StatusCode.UNAUTHENTICATED,
                    reason="CALLER_UNKNOWN",
                    message=" ".join([*wrong, needed]),
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
            if name in self._headers or name.startswith(SIGNED_PREFIXES)
        ]
        if twice:
            raise request_invalid(twice)

    async def _caller(self, call: Call, method: Method) -> Caller | None:
        """The caller that the method accepts, else any that is proven, else None."""
        other: Caller | None = None
        for proof in self._proofs:
            caller = await proof.prove(call)
            if caller is not None:
                if caller.kind in method.callers:
                    return caller
                other = other or caller
        return other

"""What a proof of a caller offers to the step that asks for it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from infrastructure.rpc.caller import Caller, CallerKind
from server.interception.chain import Call


class Proof(Protocol):
    """One way to prove who calls."""

    @property
    def kind(self) -> CallerKind:
        """The kind of caller that it proves."""

    @property
    def headers(self) -> Sequence[str]:
        """The headers that it is read from. None of them may come twice."""

    @property
    def description(self) -> str:
        """What a caller has to bring, as a refusal says it."""

    async def prove(self, call: Call) -> Caller | None:
        """The caller, or None if the call does not bring this proof, or a wrong one.

        Raises:
            Refusal: what it brings is malformed.
        """

    def wrong(self, call: Call) -> str:
        """The sentence that says that the call brings this proof and it is wrong; else empty."""

"""A browser shows the client id that it made for itself."""

from __future__ import annotations

from collections.abc import Sequence

from infrastructure.rpc.caller import Caller, CallerKind
from server.interception.chain import Call
from server.interception.refusals import Violation
from server.interception.validation import request_invalid
from vocabulary.nobody import is_nobody

HEADER = "x-client-id"
CHARACTERS_MAX = 128


class ClientId:
    """The first of its headers that names somebody. A malformed one is refused if none does."""

    kind = CallerKind.VISITOR
    description = f"header {HEADER}"

    def __init__(self, *, other_headers: Sequence[str] = ()) -> None:
        self.headers = (HEADER, *other_headers)

    async def prove(self, call: Call) -> Caller | None:
        violations: list[Violation] = []
        for header in self.headers:
            client_id = call.header(header)
            if not client_id:
                continue
            fault = _fault_of(client_id)
            if fault is None:
                return Caller(kind=CallerKind.VISITOR, client_id=client_id)
            violations.append(Violation(path=header, description=fault))
        if violations:
            raise request_invalid(violations)
        return None

    def wrong(self, call: Call) -> str:  # noqa: ARG002 - a malformed one was refused
        return ""


def _fault_of(client_id: str) -> str | None:
    is_plain = client_id.isascii() and client_id.isprintable()
    if len(client_id) > CHARACTERS_MAX or not is_plain:
        return f"must be 1 to {CHARACTERS_MAX} printable ASCII characters"
    if is_nobody(client_id):
        # All who are called that would be one person, who collects strangers' orders.
        return f"is {client_id}, which stands for nobody; each browser has an id of its own"
    return None

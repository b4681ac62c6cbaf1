"""What is known about who bought an order, and who that makes the buyer."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Self

from vocabulary.ids import IdentityGroupId

TOKENS_MAX = 100
"""How many different tokens an order's reports may carry. Those that come later prove nothing."""


class Link(StrEnum):
    """What told us who the buyer is, the strongest first."""

    CLAIM = "claim"
    CLIENT = "client"
    CUSTOMER = "customer"


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Claim:
    """A browser showed a token of the order. Claims are ordered: the earliest one wins."""

    time: datetime
    token_digest: bytes
    identity_group_id: IdentityGroupId


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportedEvidence:
    """What one report of the shop says about the buyer.

    `guard_key` orders the reports of an order as `OrderStanding` does. `hint` is the person of
    the client id that the report carries; `names_customer` says that it names a customer, and
    `guess` is that customer's person when the report was received, at `receive_time`, if they had
    one.
    """

    token_digest: bytes
    guard_key: str
    receive_time: datetime
    hint: IdentityGroupId | None = None
    names_customer: bool = False
    guess: IdentityGroupId | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Buyer:
    """Who bought an order, and what told us."""

    identity_group_id: IdentityGroupId
    link: Link


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What is known about the buyer of an order, whichever of it came first.

    `tokens` are those that reports have carried. `fixed` is the buyer of an order that is decided,
    or about to be: nothing that comes later changes them. It is kept all the same, and counts if
    the order is not decided after all.
    """

    claims: frozenset[Claim] = frozenset()
    tokens: frozenset[bytes] = frozenset()
    hint: IdentityGroupId | None = None
    hint_key: str = ""
    guess_time: datetime | None = None
    guess: IdentityGroupId | None = None
    fixed: Buyer | None = None

    def claimed(self, claim: Claim) -> Self:
        """The evidence after a claim."""
        return replace(self, claims=self.claims | {claim})

    def reported(self, report: ReportedEvidence) -> Self:
        """The evidence after a report.

        The guess is taken from the first report received that names a customer, the hint from the
        newest one that carries any. A report that was received earlier and is applied only now
        takes the guess over if its customer was known; it takes nobody away.
        """
        after = self
        if len(self.tokens) < TOKENS_MAX:
            after = replace(after, tokens=self.tokens | {report.token_digest})
        if report.hint is not None and report.guard_key > self.hint_key:
            after = replace(after, hint=report.hint, hint_key=report.guard_key)
        takes_over = self.guess_time is None or (
            report.receive_time < self.guess_time and report.guess is not None
        )
        if report.names_customer and takes_over:
            after = replace(after, guess_time=report.receive_time, guess=report.guess)
        return after

    def held(self) -> Self:
        """The evidence of an order whose rewards are about to be decided."""
        return replace(self, fixed=self.buyer)

    def let_go(self) -> Self:
        """The evidence of an order that was not decided after all."""
        return replace(self, fixed=None)

    @property
    def proven_claim(self) -> Claim | None:
        """The earliest claim whose token a report of the order has carried."""
        return min(
            (claim for claim in self.claims if claim.token_digest in self.tokens), default=None
        )

    @property
    def buyer(self) -> Buyer | None:
        """Proof wins over the shop's hint, and that over the guess by the customer's account."""
        if self.fixed is not None:
            return self.fixed
        proven = self.proven_claim
        if proven is not None:
            return Buyer(identity_group_id=proven.identity_group_id, link=Link.CLAIM)
        if self.hint is not None:
            return Buyer(identity_group_id=self.hint, link=Link.CLIENT)
        if self.guess is not None:
            return Buyer(identity_group_id=self.guess, link=Link.CUSTOMER)
        return None

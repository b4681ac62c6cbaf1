"""What the pure model says of an order, version by version of its row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from domains.purchases.model import OrderStanding, token_digest
from domains.purchases.model import evidence as model
from orchestration.purchase_webhook.platforms import CustomPlatform
from tests.simulation.history import Claim, Report, time_of
from vocabulary.ids import IdentityGroupId


@dataclass(frozen=True, slots=True, kw_only=True)
class People:
    """Who is who at one merchant. `guesses` are the customers whom first orders made known."""

    clients: Mapping[str, IdentityGroupId]
    guesses: Mapping[str, IdentityGroupId]
    received: Mapping[str, datetime]

    def named(self, group: object) -> str | None:
        """The client of a group; the group itself if it has none."""
        if group is None:
            return None
        names = sorted(name for name, each in self.clients.items() if each == group)
        return names[0] if names else str(group)


@dataclass(slots=True, kw_only=True)
class ExpectedOrder:
    """An order as the model knows it after some of its messages.

    While a batch holds the order, what comes changes neither buyer nor time. It counts if the
    batch does not decide the order after all; `late` are those messages, as long as they do not.
    """

    people: People
    evidence: model.Evidence = field(default_factory=model.Evidence)
    standing: OrderStanding | None = None
    placed_time: datetime | None = None
    order_time_stated: bool = False
    fixed_time: datetime | None = None
    late: list[Claim | Report] = field(default_factory=list)
    is_forgetful: bool = False

    @property
    def order_time(self) -> datetime | None:
        return self.fixed_time or self.placed_time

    def hear(self, message: Claim | Report) -> None:
        """Takes a message in."""
        if isinstance(message, Report):
            self._stand(message)
        if self.evidence.fixed is not None:
            self.late = [*self.late, message]
        self._learn(message)

    def fix(self) -> None:
        """A worker is about to decide the order."""
        self.evidence = self.evidence.held()
        self.fixed_time = self.order_time

    def lift(self) -> None:
        """It was not decided after all: all that was heard counts."""
        self.evidence = self.evidence.let_go()
        self.fixed_time = None
        self.late = []

    def forget_claim(self, digest: bytes, group: object) -> None:
        """A claim is gone that no report had carried the token of; any other one stands."""
        self.is_forgetful = True
        if digest not in self.evidence.tokens:
            claims = self.evidence.claims
            self.evidence = replace(
                self.evidence,
                claims=frozenset(
                    each
                    for each in claims
                    if (each.token_digest, each.identity_group_id) != (digest, group)
                ),
            )

    @property
    def buyer(self) -> tuple[str | None, str | None]:
        """The buyer's name, and what told us."""
        buyer = self.evidence.buyer
        if buyer is None:
            return None, None
        return self.people.named(buyer.identity_group_id), buyer.link.value

    def _stand(self, report: Report) -> None:
        event = self._event(report)
        if self.standing is None:
            self.standing = OrderStanding.first(event)
        else:
            self.standing = self.standing.after(event)

    def _event(self, report: Report) -> Any:
        received = self.people.received[report.event]
        return CustomPlatform().parse(report.body, receive_time=received, latest_time=received)

    def _learn(self, message: Claim | Report) -> None:
        clients = self.people.clients
        if isinstance(message, Claim):
            self.evidence = self.evidence.claimed(
                model.Claim(
                    time=time_of(message.minute),
                    token_digest=token_digest(message.token),
                    identity_group_id=clients[message.client],
                )
            )
            return
        event = self._event(message)
        self._date(event.order_time, is_stated=event.order_time_stated)
        self.evidence = self.evidence.reported(
            model.ReportedEvidence(
                token_digest=token_digest(message.token),
                guard_key=event.guard_key,
                receive_time=self.people.received[message.event],
                hint=None if message.client is None else clients[message.client],
                names_customer=message.customer is not None,
                guess=self.people.guesses.get(message.customer or ""),
            )
        )

    def _date(self, placed_time: datetime, *, is_stated: bool) -> None:
        """A time that the shop named, else that of the first report; the earlier of two."""
        if self.placed_time is None or (is_stated and not self.order_time_stated):
            self.placed_time = placed_time
        elif is_stated == self.order_time_stated:
            self.placed_time = min(self.placed_time, placed_time)
        self.order_time_stated = self.order_time_stated or is_stated


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """One version of an order's row, and what made it. No message: a worker did."""

    row: Any
    message: Claim | Report | None

    def __str__(self) -> str:
        row = self.row
        if row.what != "written":
            return f"{row.writer}: {row.what}"
        stands = f"{row.state}, life {row.generation}, decided {row.decided_generation}"
        if row.fixed_generation:
            stands += f", fixed {row.fixed_generation}"
        if row.ready_round is not None:
            stands += ", ready"
        return f"{row.writer}: {self.message or 'works'} → {stands}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Walked:
    """An order's versions held against the model: what differs first, and the model at the end."""

    difference: str | None
    expected: ExpectedOrder

    @property
    def is_whole(self) -> bool:
        """Whether everything counted: nothing came after a batch had begun to hold the order."""
        return not (self.expected.late or self.expected.is_forgetful)


def walk(versions: Sequence[Version], people: People) -> Walked:
    """Follows an order's row through its versions, as far as it is as the model says."""
    expected = ExpectedOrder(people=people)
    forgotten: list[Any] = []
    for version in versions:
        row = version.row
        if row.what == "deleted":
            # Its claims went before it; whether a report still counts them is seen below.
            claims = model.Evidence(claims=expected.evidence.claims)
            expected = ExpectedOrder(people=people, evidence=claims)
            continue
        if row.what == "claim deleted":
            forgotten.append(row)
            continue
        found = _found(row, people)
        if isinstance(version.message, Report):
            expected = _heard(expected, version.message, forgotten, found)
            forgotten = []
        elif version.message is not None:
            expected.hear(version.message)
        elif expected.evidence.fixed is None and row.is_fixed:
            expected.fix()
        elif expected.evidence.fixed is not None and not row.is_fixed:
            expected.lift()
        wanted = _wanted(expected)
        if found != wanted:
            difference = f"after {version}: the row says {found}, the model {wanted}"
            return Walked(difference=difference, expected=expected)
    return Walked(difference=None, expected=expected)


def _heard(
    expected: ExpectedOrder,
    message: Report,
    forgotten: Sequence[Any],
    found: tuple[object, ...],
) -> ExpectedOrder:
    """The order after a report.

    One that came while claims were forgotten may still count those that went last.
    """
    before = expected
    for gone in range(len(forgotten) + 1):
        after = replace(before)
        for row in forgotten[:gone]:
            after.forget_claim(row.token_digest, row.identity_group_id)
        after.hear(message)
        if _wanted(after) == found:
            break
    for row in forgotten:
        after.forget_claim(row.token_digest, row.identity_group_id)
    return after


def _found(row: Any, people: People) -> tuple[object, ...]:
    reported = row.state is not None
    return (
        people.named(row.identity_group_id),
        row.link,
        row.state,
        row.generation if reported else None,
        row.voided if reported else None,
        row.order_time,
    )


def _wanted(expected: ExpectedOrder) -> tuple[object, ...]:
    standing = expected.standing
    return (
        *expected.buyer,
        None if standing is None else standing.state.value,
        None if standing is None else standing.generation,
        None if standing is None else standing.voided,
        expected.order_time,
    )

"""Every order of an order's messages, with the decision at each place, against the model.

The cases stand side by side, each on an order of its own: first every case hears its first
message, then those whose decision comes next are decided, and so on. What the rows say is held
against the pure functions of `domains.purchases.model`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial
from itertools import combinations, permutations
from typing import Any
from uuid import UUID

import pytest

from domains.purchases.model import OrderEvent, OrderStanding, OrderState, token_digest
from domains.purchases.model.evidence import Claim, Evidence, ReportedEvidence
from domains.rewards.model import RewardState
from infrastructure.database.transaction import Database
from orchestration.purchase_linking import flow
from orchestration.purchase_webhook.platforms import CustomPlatform
from tests.support.books import assert_books_balance, read, rewards_of
from tests.support.connections import at_once
from tests.support.flows import NOON
from tests.support.rules import a_campaign
from tests.support.shop import Shop, a_shop
from vocabulary.ids import IdentityGroupId

CONNECTIONS = 12
EARLIER = NOON - timedelta(hours=1)
PEOPLE = ("ann", "ben", "hinted", "guessed")


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A claim of a person, or a report in a state; `minute` is its own time."""

    minute: int
    token: str = "one"
    claimer: str | None = None
    state: str | None = None
    hint: str | None = None
    customer: str | None = None
    ordered: int = 0


def claim(claimer: str, minute: int, token: str = "one") -> Message:
    return Message(minute=minute, claimer=claimer, token=token)


def report(state: str, minute: int, **said: Any) -> Message:
    return Message(minute=minute, state=state, **said)


NOTHING_NEW = "ko: it says nothing newer than what is known of the order"
SCENARIOS: Mapping[str, Sequence[Message]] = {
    "a claim and a report": (claim("ann", 1), report("confirmed", 0)),
    "a known customer, and somebody with the token": (
        report("pending", 0, customer="c-1"),
        report("confirmed", 1, customer="c-1"),
        claim("ann", 2),
    ),
    "the shop's word and proof": (
        report("confirmed", 0, hint="hinted"),
        report("confirmed", 1, hint="ben"),
        claim("ann", 2),
    ),
    "three who say that it was theirs": (
        report("confirmed", 0, customer="c-1"),
        report("confirmed", 1, hint="hinted", customer="c-1"),
        claim("ann", 3),
        claim("ben", 2),
    ),
    "a token that changes": (
        claim("ann", 3),
        claim("ben", 2, token="two"),
        report("pending", 0),
        report("confirmed", 1, token="two"),
    ),
    "a guess at the token": (
        claim("ben", 1, token="invented"),
        claim("ann", 2),
        report("confirmed", 0),
    ),
    "a refund": (
        report("confirmed", 0, customer="c-1"),
        claim("ann", 1),
        report("refunded", 2, hint="hinted"),
    ),
    "paid again after a refund": (
        report("confirmed", 0),
        report("refunded", 1),
        report("confirmed", 2, customer="c-1"),
        claim("ann", 3),
        claim("ben", 4),
    ),
    "another date": (
        report("confirmed", 0, ordered=0, customer="c-1"),
        report("confirmed", 1, ordered=-60 * 24 * 40),
        claim("ann", 2),
        claim("ann", 1),
    ),
    "everything at once": (
        report("pending", 0, customer="c-1"),
        report("confirmed", 1, hint="hinted", token="two"),
        report("cancelled", 2),
        claim("ann", 3),
        claim("ben", 2, token="two"),
    ),
}


@dataclass(slots=True, kw_only=True)
class Case:
    """One order of a scenario's messages; decided after the first `decided_at` of them."""

    order: str
    messages: Sequence[Message]
    decided_at: int | None
    evidence: Evidence = field(default_factory=Evidence)
    standing: OrderStanding | None = None
    interaction: int = 0
    buyers: dict[int, UUID] = field(default_factory=dict)
    told: list[UUID | None] = field(default_factory=list)

    @property
    def is_due(self) -> bool:
        """Whether a worker that comes now decides the order."""
        standing = self.standing
        return (
            standing is not None
            and standing.state is OrderState.CONFIRMED
            and self.evidence.buyer is not None
            and standing.generation not in self.buyers
        )

    def hear(self, message: Message, people: Mapping[str, IdentityGroupId], body: bytes) -> None:
        """What the model makes of a message."""
        if message.claimer is not None:
            self.evidence = self.evidence.claimed(
                Claim(
                    time=time_of(message),
                    token_digest=token_digest(message.token),
                    identity_group_id=people[message.claimer],
                )
            )
            return
        event: OrderEvent = CustomPlatform().parse(body, receive_time=NOON, latest_time=NOON)
        self.standing = (
            OrderStanding.first(event) if self.standing is None else self.standing.after(event)
        )
        self.evidence = self.evidence.reported(
            ReportedEvidence(
                token_digest=token_digest(message.token),
                guard_key=event.guard_key,
                receive_time=NOON,
                hint=None if message.hint is None else people[message.hint],
                names_customer=message.customer is not None,
                guess=None if message.customer is None else people["guessed"],
            )
        )

    def decide(self) -> None:
        """A worker comes by."""
        if self.is_due:
            assert self.standing is not None
            assert self.evidence.buyer is not None
            self.buyers[self.standing.generation] = self.evidence.buyer.identity_group_id
            self.evidence = self.evidence.held()


def time_of(message: Message) -> Any:
    return EARLIER + timedelta(minutes=message.minute)


def body_of(shop: Shop, order: str, message: Message) -> bytes:
    return shop.order_body(
        order,
        message.state or "",
        ordered=EARLIER + timedelta(minutes=message.ordered),
        updated=time_of(message),
        token=message.token,
        customerId=message.customer,
        clientId=message.hint,
    )


async def send(shop: Shop, order: str, message: Message) -> UUID | None:
    """Sends a message; returns whose a claim was told that the order is."""
    if message.claimer is None:
        assert await shop.deliver(body_of(shop, order, message)) in {"ok", NOTHING_NEW}
        return None
    claimed = await shop.flows.purchase_linking.claim_past(
        flow.Claim(
            merchant_id=shop.merchant_id,
            client_id=message.claimer,
            order_reference=order,
            token=message.token,
        ),
        event_time=time_of(message),
        repeat=None,
    )
    return None if claimed.purchase_id is None else claimed.identity_group_id


async def side_by_side(deeds: Iterable[Callable[[], Awaitable[None]]]) -> None:
    waiting = iter(list(deeds))

    async def work() -> None:
        for deed in waiting:
            await deed()

    async with asyncio.TaskGroup() as group:
        for _ in range(CONNECTIONS):
            group.create_task(work())


async def a_scene(database: Database) -> tuple[Shop, dict[str, IdentityGroupId]]:
    """A shop, the people of the scenarios, and the customer whom an order tied to one."""
    shop = await a_shop(database, a_campaign())
    people = {name: (await shop.arrive(name)).identity_group_id for name in PEOPLE}
    await shop.report("first", customerId="c-1", clientId="guessed", ordered=EARLIER)
    shop.flows.clock.advance(timedelta(seconds=1))
    return shop, people


async def decide(shop: Shop) -> None:
    """Decides what is due at this shop alone."""
    while True:
        lanes = await shop.flows.reward.list_waiting_lanes(is_thorough=True)
        due = [lane for lane in lanes if lane.merchant_id == shop.merchant_id]
        if not due or due[0].due_time > shop.flows.clock.now:
            return
        await shop.flows.reward.work(due[0])


async def run(scene: Shop, people: Mapping[str, IdentityGroupId], cases: Sequence[Case]) -> None:
    """Sends every case its next message, decides whose decision comes next, and so on."""

    async def step(shop: Shop, case: Case, number: int) -> None:
        message = case.messages[number]
        told = await send(shop, case.order, message)
        body = b"" if message.state is None else body_of(shop, case.order, message)
        case.hear(message, people, body)
        if message.claimer is not None:
            case.told.append(told)
            assert told == told_by(case, people[message.claimer], message), (case.order, number)

    for number in range(len(cases[0].messages)):
        await side_by_side(partial(step, scene, case, number) for case in cases)
        if cases[0].decided_at == number + 1:
            await decide(scene)
            for case in cases:
                case.decide()
    await decide(scene)
    for case in cases:
        case.decide()


def told_by(case: Case, claimer: IdentityGroupId, message: Message) -> IdentityGroupId | None:
    """Whose the model says that a claimer is told the order is: their own, or nobody's."""
    buyer = case.evidence.buyer
    is_proven = token_digest(message.token) in case.evidence.tokens
    is_theirs = buyer is not None and buyer.identity_group_id == claimer
    return claimer if case.standing is not None and is_proven and is_theirs else None


async def assert_as_the_model_says(shop: Shop, cases: Sequence[Case]) -> None:
    """Orders, interactions and rewards name the buyers whom the model names."""
    rows = {
        row.order_reference: row
        for row in await read(
            shop.database,
            """
            SELECT order_reference, identity_group_id, link, generation, decided_generation
            FROM shop_order WHERE merchant_id = :merchant_id
            """,
            merchant_id=shop.merchant_id,
        )
    }
    rewards: dict[str, list[Any]] = {}
    for each in await rewards_of(shop):
        rewards.setdefault(each.event, []).append(each)
    for case in cases:
        row, buyer = rows[case.order], case.evidence.buyer
        assert case.standing is not None
        found = (row.identity_group_id, row.link, row.generation)
        wanted = (
            buyer and buyer.identity_group_id,
            buyer and buyer.link,
            case.standing.generation,
        )
        assert found == wanted, case.messages
        for generation in range(1, case.standing.generation + 1):
            suffix = f"#{generation}" if generation > 1 else ""
            earned = rewards.pop(f"purchase:{case.order}{suffix}", [])
            decided = case.buyers.get(generation)
            assert [each.person for each in earned] == ([decided] if decided else [])
            is_kept = (
                generation == case.standing.generation
                and case.standing.state is OrderState.CONFIRMED
            )
            assert {each.state for each in earned} <= {
                RewardState.PENDING if is_kept else RewardState.CANCELLED
            }
    assert set(rewards) == {"purchase:first"}
    await assert_books_balance(shop.database)


@pytest.mark.parametrize("name", SCENARIOS)
async def test_every_order_with_the_decision_at_each_place(
    real_database: Database, name: str
) -> None:
    """Who earns would depend on which message came first, or on when a worker came by."""
    messages = SCENARIOS[name]
    for place in range(1, len(messages) + 1):
        shop, people = await a_scene(real_database)
        cases = [
            Case(order=f"A-{number}", messages=order, decided_at=place)
            for number, order in enumerate(permutations(messages))
        ]
        await run(shop, people, cases)
        await assert_as_the_model_says(shop, cases)


@pytest.mark.parametrize("name", SCENARIOS)
async def test_every_pair_at_once(real_database: Database, name: str) -> None:
    """Two messages that meet at the order's row would each miss the other's half."""
    messages = SCENARIOS[name]
    shop, people = await a_scene(real_database)
    cases: list[tuple[Case, int]] = []
    for one, other in combinations(range(len(messages)), 2):
        rest = [each for number, each in enumerate(messages) if number not in {one, other}]
        for place in range(len(rest) + 1):
            case = Case(
                order=f"A-{len(cases)}",
                messages=[*rest[:place], messages[one], messages[other], *rest[place:]],
                decided_at=None,
            )
            cases.append((case, place))

    async def meet(case: Case, place: int) -> None:
        for number in range(len(case.messages)):
            if number == place:
                await at_once(
                    *(
                        partial(send, shop, case.order, case.messages[each])
                        for each in (place, place + 1)
                    )
                )
            elif number != place + 1:
                await send(shop, case.order, case.messages[number])

    await side_by_side(partial(meet, case, place) for case, place in cases)
    rows = {
        row.order_reference: (row.identity_group_id, row.link)
        for row in await read(
            real_database,
            "SELECT * FROM shop_order WHERE merchant_id = :merchant_id",
            merchant_id=shop.merchant_id,
        )
    }
    for case, _ in cases:
        alone = replace(case)
        for message in alone.messages:
            body = b"" if message.state is None else body_of(shop, alone.order, message)
            alone.hear(message, people, body)
        buyer = alone.evidence.buyer
        assert rows[case.order] == (buyer and buyer.identity_group_id, buyer and buyer.link), (
            case.messages
        )
    await shop.work()
    await assert_books_balance(real_database)

"""What is decided next in a lane, and what became of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from domains.campaign.model import Pair
from domains.purchases.model import Purchase
from domains.purchases.model.lane_queue import FixedOrder, LetGo
from domains.rewards.model import Interaction, LaneWork, OrderLife, Place
from orchestration.lane.flow.batch import BatchResult
from orchestration.lane.flow.event_facts import LaneEvent
from orchestration.lane.flow.searching import AttemptResult, CommonFailureError
from vocabulary.ids import InteractionId


class CampaignsUnreadableError(CommonFailureError):
    """A merchant's campaigns cannot be read, so nothing of its lane can be decided."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedBatch:
    """What is decided next in a lane. Nothing changes its orders' buyers and times any more.

    `lane` is the lane as it was then; `order_place` and `referral_place` are where it stands once
    all of this is dealt with. `left` are orders that were fixed with it, but come in the next one;
    `is_last`: nothing of the round comes after it; `is_thorough`: for it, the round took in what
    is due from the first due time on.
    """

    lane: LaneWork
    orders: Sequence[FixedOrder]
    referrals: Sequence[Interaction]
    is_last: bool
    left: Sequence[FixedOrder] = ()
    is_thorough: bool = False

    @property
    def size(self) -> int:
        return len(self.orders) + len(self.referrals)

    @property
    def order_place(self) -> Place | None:
        if not self.orders:
            return None
        last = self.orders[-1]
        return Place(time=last.order_time, reference=last.order_reference)

    @property
    def referral_place(self) -> Place | None:
        if not self.referrals:
            return None
        last = self.referrals[-1]
        assert last.event_time is not None, last
        return Place(time=last.event_time, reference=last.event_reference)

    @property
    def names(self) -> list[str]:
        """What its orders and referrals are called."""
        return [
            *(each.order_reference for each in self.orders),
            *(each.event_reference for each in self.referrals),
        ]

    @property
    def pieces(self) -> list[PreparedBatch]:
        """It in pieces of one, for what cannot even be read."""
        return [
            *(replace(self, orders=[each], referrals=[]) for each in self.orders),
            *(replace(self, orders=[], referrals=[each]) for each in self.referrals),
        ]

    def of_pieces(self, pieces: Sequence[PreparedBatch]) -> PreparedBatch:
        """Some of its pieces together."""
        return replace(
            self,
            orders=[order for each in pieces for order in each.orders],
            referrals=[referral for each in pieces for referral in each.referrals],
        )

    def of(self, events: Sequence[LaneEvent]) -> PreparedBatch:
        """A part of it."""
        wanted = {each.interaction.interaction_id for each in events}
        orders = {each.interaction.order_reference for each in events}
        return replace(
            self,
            orders=[each for each in self.orders if each.order_reference in orders],
            referrals=[each for each in self.referrals if each.interaction_id in wanted],
        )


@dataclass(slots=True)
class BatchOutcome:
    """What deciding a batch came to, and the orders that the lane has dealt with by it.

    `decision_count` is how far the lane has counted on; `events` are those that were there to be
    decided; `needed_rates` are what some wait for.
    """

    decided_count: int = 0
    waiting_count: int = 0
    reward_count: int = 0
    decision_count: int = 0
    events: list[LaneEvent] = field(default_factory=list)
    let_go: list[LetGo] = field(default_factory=list)
    needed_rates: list[tuple[Pair, datetime]] = field(default_factory=list)

    @property
    def result(self) -> AttemptResult:
        """What it is worth as a proof that others fail for a reason of their own."""
        if self.reward_count:
            return AttemptResult.EARNED
        return AttemptResult.DECIDED if self.decided_count else AttemptResult.NOTHING

    def add(self, other: BatchOutcome) -> None:
        self.decided_count += other.decided_count
        self.waiting_count += other.waiting_count
        self.reward_count += other.reward_count
        self.decision_count += other.decision_count
        self.events += other.events
        self.let_go += other.let_go
        self.needed_rates += other.needed_rates


class BatchFailedError(Exception):
    """Deciding a batch failed and was undone. `events` are those in it."""

    def __init__(self, events: Sequence[LaneEvent]) -> None:
        super().__init__(f"{len(events)} events")
        self.events = events


def purchase_event(interaction: Interaction, purchase: Purchase) -> LaneEvent:
    """A purchase with its order's buyer and time."""
    assert purchase.identity_group_id is not None, purchase
    return LaneEvent(
        interaction=interaction,
        person=purchase.identity_group_id,
        event_time=purchase.order_time,
        purchase=purchase,
        referrer=None,
    )


def life_of(event: LaneEvent) -> OrderLife | None:
    """Which life of which order it is about; None: it is no purchase."""
    purchase = event.purchase
    if purchase is None:
        return None
    return OrderLife(order_reference=purchase.order_reference, generation=purchase.generation)


def life_of_order(order: FixedOrder) -> OrderLife:
    """Which life of an order is fixed."""
    return OrderLife(order_reference=order.order_reference, generation=order.generation)


def let_go_of(
    life: OrderLife,
    *,
    is_decided: bool,
    due_time: datetime | None = None,
    needed_rate: str | None = None,
) -> LetGo:
    """An order that is decided, or open again until `due_time`."""
    return LetGo(
        order_reference=life.order_reference,
        generation=life.generation,
        is_decided=is_decided,
        due_time=due_time,
        needed_rate=needed_rate,
    )


def note(outcome: BatchOutcome, result: BatchResult, until: Sequence[datetime]) -> None:
    """What became of the events of an outcome."""
    waiting: dict[InteractionId, tuple[datetime, str]] = {
        event.interaction.interaction_id: (due_time, str(pair))
        for (event, pair), due_time in zip(result.waiting, until, strict=True)
    }
    for event in outcome.events:
        life = life_of(event)
        if life is None:
            continue
        wait = waiting.get(event.interaction.interaction_id)
        outcome.let_go.append(
            let_go_of(life, is_decided=True)
            if wait is None
            else let_go_of(life, is_decided=False, due_time=wait[0], needed_rate=wait[1])
        )
    outcome.needed_rates = [(pair, each.event.event_time) for each, pair in result.waiting]
    outcome.decided_count = len(result.facts)
    outcome.waiting_count = len(result.waiting)
    outcome.reward_count = len(result.rewards)
    outcome.decision_count = len(result.decisions) if result.facts else 0


def stands_as(found: LaneWork, before: LaneWork) -> bool:
    """Whether nobody has walked the round since."""
    return _place_of(found) == _place_of(before)


def _place_of(lane: LaneWork) -> tuple[object, ...]:
    return (
        lane.round_number,
        lane.round_time,
        lane.phase,
        lane.order_place,
        lane.referral_place,
    )

"""The steps of a turn at a lane, each a transaction of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import accumulate

from domains.campaign.service import RatesService
from domains.purchases.model.lane_queue import FixedOrder, LetGo
from domains.purchases.service import PurchasesService
from domains.rewards.model import LanePhase, LaneWork, WaitingLane
from domains.rewards.service import DueInteractionsService, LanesService
from infrastructure.database.bounds import LAST_TIME
from infrastructure.database.transaction import Database, Transaction
from orchestration.lane.flow.deciding import NEXT_LIFE_PAUSE, BatchDeciding
from orchestration.lane.flow.event_facts import LaneEvent
from orchestration.lane.flow.lane_orders import LaneOrders
from orchestration.lane.flow.prepared import (
    BatchFailedError,
    BatchOutcome,
    CampaignsUnreadableError,
    PreparedBatch,
    stands_as,
)
from vocabulary.ids import MerchantId

PROMOTED_MAX = 2_000
"""How much of what is due is taken into a round at once."""

LINES_MAX = 5_000
"""How many lines the orders of a batch have together, because time and memory go into them."""


class LaneTurns:
    """Decides what is due at a merchant, in the order of the lane.

    Each step takes the lane without waiting, so that one worker at a time moves the merchant's
    money. Whatever kills a worker between two of them, the next one finds in the tables what is
    left to do: orders that are fixed and not let go of are decided, or found to be decided.

    Locks, downwards: the lane; orders, never waited for; campaigns, shared; budget windows;
    rewards; accounts.
    """

    def __init__(
        self,
        *,
        database: Database,
        rates: RatesService,
        purchases: PurchasesService,
        lanes: LanesService,
        due_interactions: DueInteractionsService,
        deciding: BatchDeciding,
        orders: LaneOrders,
        clock: Callable[[], datetime],
    ) -> None:
        self._database = database
        self._rates = rates
        self._purchases = purchases
        self._lanes = lanes
        self._due_interactions = due_interactions
        self._deciding = deciding
        self._orders = orders
        self._clock = clock

    async def make(self, merchant_id: MerchantId) -> None:
        """Makes a merchant's lane, unless another worker has made it."""
        async with self._database.single() as tx:
            await self._lanes.ensure(tx, merchant_id)

    async def prepare(self, waiting: WaitingLane, *, limit: int) -> PreparedBatch | None:
        """Fixes what is decided next, up to `limit` orders and referrals each.

        None: another worker is at it, or nothing is due. After a turn that failed, less is taken
        into a round at once.
        """
        is_thorough = waiting.is_thorough
        has_taken_in_all = False
        promoted_max = waiting.share_of(PROMOTED_MAX)
        while True:
            async with self._database.transaction() as tx:
                lane = await self._lanes.take(tx, waiting.merchant_id)
                if lane is None:
                    return None
                was_idle = lane.phase is LanePhase.IDLE
                if was_idle:
                    lane = lane.begin_round(self._clock())
                if lane.phase is LanePhase.PROMOTING:
                    lane = await self._promote(
                        tx, lane, is_thorough=is_thorough, limit=promoted_max
                    )
                    has_taken_in_all = has_taken_in_all or is_thorough
                    is_thorough = False
                await self._lanes.save(tx, lane)
                if lane.phase is LanePhase.PROMOTING:
                    continue
                # Last, because whoever reports or claims these orders waits until the commit.
                batch = await self._fix(tx, lane, limit=limit)
                if not batch.size:
                    lane = await self._end_of_round(tx, lane)
                    await self._lanes.save(tx, lane)
                    if lane.phase is LanePhase.IDLE and not was_idle:
                        # Nothing was left of a round, as after a batch that was opened again.
                        continue
                    if lane.phase is LanePhase.IDLE and lane.failure_count:
                        # Nothing is due at all, so nothing is left of what failed.
                        await self._lanes.advance(tx, lane.merchant_id, lane.next_sequence)
            return replace(batch, is_thorough=has_taken_in_all) if batch.size else None

    async def _promote(
        self, tx: Transaction, lane: LaneWork, *, is_thorough: bool, limit: int
    ) -> LaneWork:
        """Takes the next part of what is due into the round."""
        assert lane.round_time is not None, lane
        ends = []
        for promote in (self._purchases.promote_due, self._due_interactions.promote_due):
            count, last = await promote(
                tx,
                lane.merchant_id,
                after=lane.look_from(is_thorough=is_thorough),
                until=lane.round_time,
                round_number=lane.round_number,
                limit=limit,
            )
            if count == limit and last is not None:
                ends.append(last)
        return lane.promoted(min(ends, default=None))

    async def _fix(self, tx: Transaction, lane: LaneWork, *, limit: int) -> PreparedBatch:
        """The next orders and referrals, as far as both are known to be in their order."""
        referrals = await self._due_interactions.list_ready(
            tx,
            lane.merchant_id,
            round_number=lane.round_number,
            after=lane.referral_place,
            limit=limit,
        )
        place = lane.order_place
        last_referral = referrals[-1].event_time if len(referrals) == limit else None

        async def fix() -> Sequence[FixedOrder]:
            return await self._purchases.fix_ready(
                tx,
                lane.merchant_id,
                round_number=lane.round_number,
                after=(place.time, place.reference) if place else None,
                until=last_referral or LAST_TIME,
                put_off_time=self._clock() + NEXT_LIFE_PAUSE,
                limit=limit,
            )

        orders = await fix()
        interrupted = [each for each in orders if each.was_fixed]
        if interrupted and await self._orders.open(tx, lane.merchant_id, interrupted):
            # What was heard since they were fixed counts, as it does for those that were not.
            orders = await fix()
        kept = _within_lines(orders)
        is_last = len(referrals) < limit and len(orders) < limit and len(kept) == len(orders)
        if len(orders) == limit or len(kept) < len(orders):
            # At one time orders come first, and there may be more of this one's time.
            last = kept[-1].order_time
            referrals = [
                each for each in referrals if each.event_time is not None and each.event_time < last
            ]
        return PreparedBatch(
            lane=lane,
            orders=kept,
            referrals=referrals,
            left=orders[len(kept) :],
            is_last=is_last,
        )

    async def _end_of_round(self, tx: Transaction, lane: LaneWork) -> LaneWork:
        """The lane after its last batch: at rest, unless something was passed over.

        An order that was being written when its turn came was. The round is walked again, with
        what has become due meanwhile, so that such an order holds up no other.
        """
        if await self._purchases.has_ready(
            tx, lane.merchant_id, round_number=lane.round_number
        ) or await self._due_interactions.list_ready(
            tx, lane.merchant_id, round_number=lane.round_number, after=None, limit=1
        ):
            return lane.go_round_again(self._clock())
        return lane.walked(None, None, is_over=True)

    async def decide(self, batch: PreparedBatch) -> BatchOutcome | None:
        """Decides a batch, or the part of it that is left. None: another worker is at it.

        Raises:
            CampaignsUnreadableError: nothing of the lane can be decided.
            BatchFailedError: nothing of it happened.
        """
        events: list[LaneEvent] = []

        async def attempt() -> BatchOutcome | None:
            events.clear()
            async with self._database.transaction() as tx:
                lane = await self._lanes.take(tx, batch.lane.merchant_id)
                if lane is None:
                    return None
                outcome = await self.load_in(tx, batch)
                events.extend(outcome.events)
                await self.decide_in(tx, lane, outcome)
            return outcome

        try:
            return await self._database.run(attempt)
        except CampaignsUnreadableError:
            raise
        except Exception as failure:
            raise BatchFailedError(list(events)) from failure

    async def load_in(self, tx: Transaction, batch: PreparedBatch) -> BatchOutcome:
        """What of a batch is still to be decided. The caller is the lane's writer."""
        return await self._deciding.load_in(tx, batch)

    async def decide_in(self, tx: Transaction, lane: LaneWork, outcome: BatchOutcome) -> None:
        """Decides what was loaded, if anything is left to be. The caller is the lane's writer.

        Raises:
            CampaignsUnreadableError: nothing of the lane can be decided.
        """
        if outcome.events:
            await self._deciding.decide_in(tx, lane, outcome)

    async def finish(
        self, batch: PreparedBatch, let_go: Sequence[LetGo], *, is_complete: bool
    ) -> None:
        """Lets go of orders of a batch; if that was all of it, the lane goes on from there.

        Whoever cannot have the lane leaves it to the next one, who finds what is decided.
        """
        if not let_go and not is_complete:
            return
        lane = batch.lane
        async with self._database.transaction() as tx:
            found = await self._lanes.take(tx, lane.merchant_id)
            if found is None:
                return
            await self._orders.let_go(tx, batch, let_go)
            if not is_complete or not stands_as(found, lane):
                return
            found = found.walked(batch.order_place, batch.referral_place, is_over=False)
            if batch.is_last:
                found = await self._end_of_round(tx, found)
            await self._lanes.save(tx, found)

    async def announce_again(self, outcome: BatchOutcome) -> None:
        """Looks once more for rates that came while orders were set to wait for them.

        Whoever announced such a rate meanwhile did not see these orders wait.
        """
        if outcome.needed_rates:
            # Run again if need be: an order whose rate is not announced waits for an hour.
            await self._database.run(lambda: self._announce_again(outcome))

    async def _announce_again(self, outcome: BatchOutcome) -> None:
        async with self._database.transaction() as tx:
            await self._rates.announce_again(tx, outcome.needed_rates)


def _within_lines(orders: Sequence[FixedOrder]) -> Sequence[FixedOrder]:
    """The first of these orders, one at least, that have no more lines than a batch may have."""
    sums = accumulate(each.line_count for each in orders)
    count = sum(number <= LINES_MAX for number in sums)
    return orders[: max(1, count)]

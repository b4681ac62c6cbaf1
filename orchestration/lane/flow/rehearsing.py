"""Tries what something of a lane would come to, and undoes it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial

from domains.purchases.service import PurchasesService
from domains.rewards.service import DueInteractionsService, LanesService
from infrastructure.database.bounds import LAST_TIME
from infrastructure.database.failures import is_away
from infrastructure.database.transaction import Database, Transaction
from orchestration.lane.flow.prepared import PreparedBatch
from orchestration.lane.flow.searching import AttemptResult, Item
from orchestration.lane.flow.turns import LaneTurns

REHEARSED_MAX = 16
"""How many of what is left of a batch are rehearsed."""

LAST_REHEARSED_MAX = 8
"""How many at the end of the round are rehearsed: referrals are up to a half of them."""

REHEARSING_DURATION_MAX = timedelta(seconds=5)


Fixing = Callable[[Transaction], Awaitable[PreparedBatch]]


class _UndoneError(Exception):
    """Ends a rehearsal, so that its transaction is undone."""

    def __init__(self, result: AttemptResult) -> None:
        super().__init__(result)
        self.result = result


class LaneRehearsals:
    """Decides single events in transactions that are undone.

    When some events fail and no other one has earned anything, it is open whether they fail for a
    reason of their own or for one that all have in common. An event that would earn tells; one
    that would be decided and earn nothing tells that the lane can go on without those that fail.

    Locks as `LaneTurns.decide` and `prepare` do, until each rehearsal is undone.
    """

    def __init__(
        self,
        *,
        database: Database,
        turns: LaneTurns,
        lanes: LanesService,
        due_interactions: DueInteractionsService,
        purchases: PurchasesService,
        clock: Callable[[], datetime],
    ) -> None:
        self._database = database
        self._turns = turns
        self._lanes = lanes
        self._due_interactions = due_interactions
        self._purchases = purchases
        self._clock = clock

    async def best_of(
        self, batch: PreparedBatch, untried: Sequence[PreparedBatch], *, failure_count: int
    ) -> AttemptResult:
        """The most that some other events of the lane would come to.

        Up to 16 of what is untried of a batch, evenly spaced; then up to 8 that come after the
        batch in its round, from the end, farther from it after each turn that failed. Ends after
        five seconds, or when the lane is another one's.
        """
        end = self._clock() + REHEARSING_DURATION_MAX
        best = AttemptResult.NOTHING
        fixings = [_fixed(each) for each in spaced(untried, REHEARSED_MAX)]
        has_all = False
        while best is not AttemptResult.EARNED and self._clock() <= end:
            if not fixings and not has_all:
                fixings, has_all = [*await self._last(batch, failure_count)], True
            if not fixings:
                break
            result = await self._rehearse(batch, fixings.pop(0))
            if result is AttemptResult.TAKEN:
                break
            best = max(best, result)
        return best

    async def _rehearse(self, batch: PreparedBatch, fixing: Fixing) -> AttemptResult:
        try:
            async with self._database.transaction() as tx:
                lane = await self._lanes.take(tx, batch.lane.merchant_id)
                if lane is None:
                    return AttemptResult.TAKEN
                outcome = await self._turns.load_in(tx, await fixing(tx))
                await self._turns.decide_in(tx, lane, outcome)
                raise _UndoneError(outcome.result)  # noqa: TRY301 - it undoes the transaction
        except _UndoneError as undone:
            return undone.result
        except Exception as failure:
            if is_away(failure):
                raise
            # One that fails proves nothing.
            return AttemptResult.NOTHING

    async def _last(self, batch: PreparedBatch, failure_count: int) -> Sequence[Fixing]:
        """What comes last in the round of a batch, of what comes after it; else nothing."""
        lane = batch.lane
        order_place = batch.order_place or lane.order_place
        after = (order_place.time, order_place.reference) if order_place else None
        async with self._database.transaction() as tx:
            # As far from the end as there is anything, else at the end.
            for skip in (LAST_REHEARSED_MAX * failure_count, 0):
                referrals = await self._due_interactions.list_last_ready(
                    tx,
                    lane.merchant_id,
                    round_number=lane.round_number,
                    after=batch.referral_place or lane.referral_place,
                    skip=skip,
                    limit=LAST_REHEARSED_MAX // 2,
                )
                places = await self._purchases.list_last_ready(
                    tx,
                    lane.merchant_id,
                    round_number=lane.round_number,
                    after=after,
                    skip=skip,
                    # Whoever comes before the first one, so that each can be fixed alone.
                    limit=LAST_REHEARSED_MAX - len(referrals) + 1,
                )
                if referrals or places:
                    break
        orders = [
            partial(self._fix_after, batch, before)
            for before in [*places[1:], after][: LAST_REHEARSED_MAX - len(referrals)]
        ]
        return [
            *(orders if places else []),
            *(_fixed(replace(batch, orders=[], referrals=[each])) for each in referrals),
        ]

    async def _fix_after(
        self, batch: PreparedBatch, after: tuple[datetime, str] | None, tx: Transaction
    ) -> PreparedBatch:
        """The order that follows a place, fixed until the transaction is undone."""
        orders = await self._purchases.fix_ready(
            tx,
            batch.lane.merchant_id,
            round_number=batch.lane.round_number,
            after=after,
            until=LAST_TIME,
            put_off_time=LAST_TIME,
            limit=1,
        )
        return replace(batch, orders=orders, referrals=[])


def spaced(items: Sequence[Item], count_max: int) -> list[Item]:
    """Up to so many of the items, evenly spaced, from the last one to the first."""
    step = -(-len(items) // count_max) or 1
    return list(items[::-step])


def _fixed(part: PreparedBatch) -> Fixing:
    """What is fixed already."""

    async def fixing(_: Transaction) -> PreparedBatch:
        return part

    return fixing

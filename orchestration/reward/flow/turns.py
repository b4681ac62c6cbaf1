"""The steps of a turn at a lane, each a transaction of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from uuid import UUID

from domains.business.service import BusinessService
from domains.campaign.model import Campaign
from domains.campaign.service import CampaignService, RatesService
from domains.purchases.model.lane_queue import LetGo
from domains.purchases.service import PurchasesService
from domains.referral.service import ReferralService
from domains.rewards.model import (
    InteractionState,
    LanePhase,
    LaneWork,
    Obstacle,
    OrderLife,
    WaitingLane,
)
from domains.rewards.service import LanesService, RewardsService
from infrastructure.database.failures import is_away, is_timeout
from infrastructure.database.transaction import Database, Transaction
from orchestration.reward.flow.batch import decide_batch, windows_of
from orchestration.reward.flow.event_facts import EventFactsLoader, LaneEvent
from orchestration.reward.flow.prepared import (
    BatchFailedError,
    BatchOutcome,
    CampaignsUnreadableError,
    PreparedBatch,
    let_go_of,
    note,
    purchase_event,
    stands_as,
)
from vocabulary.ids import MerchantId

PROMOTED_MAX = 2_000
"""How much of what is due is taken into a round at once."""

_END = datetime(9999, 12, 31, tzinfo=UTC)


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
        business: BusinessService,
        campaigns: CampaignService,
        rates: RatesService,
        purchases: PurchasesService,
        referral: ReferralService,
        lanes: LanesService,
        rewards: RewardsService,
        facts: EventFactsLoader,
        clock: Callable[[], datetime],
        new_id: Callable[[], UUID],
    ) -> None:
        self._database = database
        self._business = business
        self._campaigns = campaigns
        self._rates = rates
        self._purchases = purchases
        self._referral = referral
        self._lanes = lanes
        self._rewards = rewards
        self._facts = facts
        self._clock = clock
        self._new_id = new_id

    async def make(self, merchant_id: MerchantId) -> None:
        """Makes a merchant's lane, unless another worker has made it."""
        async with self._database.single() as tx:
            await self._lanes.ensure(tx, merchant_id)

    async def prepare(self, waiting: WaitingLane, *, limit: int) -> PreparedBatch | None:
        """Fixes what is decided next. None: another worker is at it, or nothing is due."""
        is_thorough = waiting.is_thorough
        while True:
            async with self._database.transaction() as tx:
                lane = await self._lanes.take(tx, waiting.merchant_id)
                if lane is None:
                    return None
                if lane.phase is LanePhase.IDLE:
                    lane = lane.begin_round(self._clock())
                if lane.phase is LanePhase.PROMOTING:
                    lane = await self._promote(tx, lane, is_thorough=is_thorough)
                    is_thorough = False
                await self._lanes.save(tx, lane)
                if lane.phase is LanePhase.PROMOTING:
                    continue
                # Last, because whoever reports or claims these orders waits until the commit.
                batch = await self._fix(tx, lane, limit=limit)
                if not batch.size:
                    await self._lanes.save(tx, await self._end_of_round(tx, lane))
            return batch if batch.size else None

    async def _promote(self, tx: Transaction, lane: LaneWork, *, is_thorough: bool) -> LaneWork:
        """Takes the next part of what is due into the round."""
        assert lane.round_time is not None, lane
        ends = []
        for promote in (self._purchases.promote_due, self._lanes.promote_due):
            count, last = await promote(
                tx,
                lane.merchant_id,
                after=lane.look_from(is_thorough=is_thorough),
                until=lane.round_time,
                round_number=lane.round_number,
                limit=PROMOTED_MAX,
            )
            if count == PROMOTED_MAX and last is not None:
                ends.append(last)
        return lane.promoted(min(ends, default=None))

    async def _fix(self, tx: Transaction, lane: LaneWork, *, limit: int) -> PreparedBatch:
        """The next orders and referrals, as far as both are known to be in their order."""
        referrals = await self._lanes.list_ready(
            tx,
            lane.merchant_id,
            round_number=lane.round_number,
            after=lane.referral_place,
            limit=limit,
        )
        place = lane.order_place
        last_referral = referrals[-1].event_time if len(referrals) == limit else None
        orders = await self._purchases.fix_ready(
            tx,
            lane.merchant_id,
            round_number=lane.round_number,
            after=(place.time, place.reference) if place else None,
            until=last_referral or _END,
            limit=limit,
        )
        is_last = len(referrals) < limit and len(orders) < limit
        if len(orders) == limit:
            # At one time orders come first, and there may be more of this one's time.
            last = orders[-1].order_time
            referrals = [
                each for each in referrals if each.event_time is not None and each.event_time < last
            ]
        return PreparedBatch(lane=lane, orders=orders, referrals=referrals, is_last=is_last)

    async def _end_of_round(self, tx: Transaction, lane: LaneWork) -> LaneWork:
        """The lane after its last batch: at rest, unless something was passed over.

        An order that was being written when its turn came was. The round is walked again, with
        what has become due meanwhile, so that such an order holds up no other.
        """
        if await self._purchases.has_ready(
            tx, lane.merchant_id, round_number=lane.round_number
        ) or await self._lanes.list_ready(
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
                outcome = await self._load(tx, batch)
                events.extend(outcome.events)
                if outcome.events:
                    await self._decide(tx, lane, outcome)
            return outcome

        try:
            return await self._database.run(attempt)
        except CampaignsUnreadableError:
            raise
        except Exception as failure:
            raise BatchFailedError(list(events)) from failure

    async def _load(self, tx: Transaction, batch: PreparedBatch) -> BatchOutcome:
        """What of a batch is still to be decided, and what a worker that died had done."""
        merchant_id, number = batch.lane.merchant_id, batch.lane.round_number
        purchases = await self._purchases.list_fixed(
            tx,
            merchant_id,
            [each.order_reference for each in batch.orders],
            round_number=number,
        )
        interactions = await self._lanes.list_of_orders(
            tx, merchant_id, [each.order_reference for each in purchases]
        )
        outcome = BatchOutcome()
        for purchase in purchases:
            life = OrderLife(
                order_reference=purchase.order_reference, generation=purchase.generation
            )
            interaction = interactions[life]
            if interaction.state is InteractionState.PENDING:
                outcome.events.append(purchase_event(interaction, purchase))
            else:
                decided = interaction.state is InteractionState.DECIDED
                outcome.let_go.append(let_go_of(life, is_decided=decided))
        outcome.events += await self._load_referrals(tx, batch)
        outcome.events.sort(key=lambda each: each.lane_key)
        return outcome

    async def _load_referrals(self, tx: Transaction, batch: PreparedBatch) -> list[LaneEvent]:
        if not batch.referrals:
            return []
        lane = batch.lane
        referrals = await self._lanes.list_some_ready(
            tx,
            [each.interaction_id for each in batch.referrals],
            round_number=lane.round_number,
        )
        links = await self._referral.list_some(
            tx,
            lane.merchant_id,
            [each.referral_link_id for each in referrals if each.referral_link_id],
        )
        referrers = {each.referral_link_id: each.referrer_group_id for each in links}
        events = []
        for each in referrals:
            assert each.identity_group_id is not None, each
            assert each.event_time is not None, each
            assert each.referral_link_id is not None, each
            events.append(
                LaneEvent(
                    interaction=each,
                    person=each.identity_group_id,
                    event_time=each.event_time,
                    purchase=None,
                    referrer=referrers[each.referral_link_id],
                )
            )
        return events

    async def _decide(self, tx: Transaction, lane: LaneWork, outcome: BatchOutcome) -> None:
        now = self._clock()
        merchant_id = lane.merchant_id
        merchant = await self._business.get(tx, merchant_id)
        campaigns = await self._read_campaigns(tx, merchant_id)
        depth_max = max((campaign.rule.chain_depth for campaign in campaigns), default=1)
        events = await self._facts.load(tx, merchant, outcome.events, depth_max=depth_max)
        ends = windows_of(campaigns, events)
        state = await self._campaigns.lock_windows(tx, ends)
        result = decide_batch(
            campaigns,
            events,
            state,
            first_sequence=lane.next_sequence,
            now=now,
            new_id=self._new_id,
        )
        await self._rewards.add_units(
            tx, merchant_id, sorted(result.units, key=lambda unit: unit.key)
        )
        await self._campaigns.charge(
            tx,
            charges=result.charges,
            refusals=result.refusals,
            consumptions=result.consumptions,
            ends=ends,
        )
        await self._rewards.record_decided(tx, result.decided, now=now)
        until = await self._lanes.postpone(
            tx,
            [(each.interaction, str(pair)) for each, pair in result.waiting],
            obstacle=Obstacle.RATE_MISSING,
            now=now,
        )
        await self._lanes.advance(tx, merchant_id, lane.next_sequence + len(result.decisions))
        note(outcome, result, until)

    async def _read_campaigns(self, tx: Transaction, merchant_id: MerchantId) -> Sequence[Campaign]:
        try:
            return await self._campaigns.list_paying(tx, merchant_id)
        except Exception as failure:
            if is_timeout(failure) or is_away(failure):
                raise
            raise CampaignsUnreadableError from failure

    async def finish(
        self, batch: PreparedBatch, let_go: Sequence[LetGo], *, is_complete: bool
    ) -> None:
        """Lets go of the orders of a batch; if that was all of it, the lane goes on from there.

        Whoever cannot have the lane leaves it to the next one, who finds what is decided.
        """
        lane = batch.lane
        async with self._database.transaction() as tx:
            found = await self._lanes.take(tx, lane.merchant_id)
            if found is None:
                return
            await self._purchases.let_go(
                tx,
                lane.merchant_id,
                await self._as_they_are(tx, lane.merchant_id, let_go),
                round_number=lane.round_number,
            )
            if not is_complete or not stands_as(found, lane):
                return
            found = found.walked(batch.order_place, batch.referral_place, is_over=False)
            if batch.is_last:
                found = await self._end_of_round(tx, found)
            await self._lanes.save(tx, found)

    async def _as_they_are(
        self, tx: Transaction, merchant_id: MerchantId, let_go: Sequence[LetGo]
    ) -> Sequence[LetGo]:
        """The same, but what was decided meanwhile by another worker stays decided."""
        opened = [each.order_reference for each in let_go if not each.is_decided]
        found = await self._lanes.list_of_orders(tx, merchant_id, opened)
        decided = {
            life
            for life, interaction in found.items()
            if interaction.state is InteractionState.DECIDED
        }
        return [
            let_go_of(life, is_decided=True)
            if (life := OrderLife(order_reference=each.order_reference, generation=each.generation))
            in decided
            else each
            for each in let_go
        ]

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

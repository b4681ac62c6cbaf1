"""The statements that workers send all the time, each as a call, with its scans.

They ask about the shop of `tests.support.large_tables`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from domains.attribution.model import TouchQuery
from domains.attribution.repository import TouchpointRepository
from domains.campaign.model import Charge, Pair, WindowKey
from domains.campaign.repository import BudgetRepository, CampaignRepository, RateRepository
from domains.identity.repository import IdentityRepository
from domains.purchases.model.lane_queue import FixedLife, LetGo
from domains.purchases.repository import LaneQueueRepository, ReopeningRepository
from domains.referral.repository import ReferralRepository
from domains.rewards.model import (
    Obstacle,
    OrderLife,
    Place,
    Reversal,
)
from domains.rewards.repository import (
    DueEventRepository,
    EventRepository,
    LaneRepository,
    ReversalRepository,
    RewardRepository,
)
from orchestration.queries.lanes import list_waiting_lanes
from tests.support.large_tables import BEGIN, ROUND, ROWS_MANY, id_of
from tests.support.plans import Call
from vocabulary.ids import (
    BudgetItemId,
    IdentityGroupId,
    InteractionId,
    MerchantId,
    ReferralLinkId,
    ReversalId,
    RewardId,
)

WHOLE = ""
"""Named in place of an index where all of a table is meant to be read."""

SHOP = MerchantId(id_of("merchant", 1))
NOW = BEGIN + timedelta(days=2)
ORDERS = [f"order-{number}" for number in range(2, 162, 4)]
LIVES = [OrderLife(order_reference=order, generation=1) for order in ORDERS]
PEOPLE = [IdentityGroupId(id_of("person", number)) for number in (1, 2, 3)]
WINDOWS = [
    WindowKey(BudgetItemId(id_of("item", 1 + n % 2)), BEGIN + timedelta(seconds=n)) for n in (1, 2)
]


@dataclass(frozen=True, slots=True, kw_only=True)
class HotStatement:
    """A call, the index of each table that it may scan, and how many rows a scan may meet."""

    call: Call
    indexes: Mapping[str, str]
    rows_max: int = 41


def _let_go(order: str) -> LetGo:
    return LetGo(order_reference=order, generation=1, is_decided=True)


def _ended(order: str) -> FixedLife:
    return FixedLife(order_reference=order, generation=1, is_decided=True)


_QUEUE, _REOPENING = LaneQueueRepository(), ReopeningRepository()
_DUE, _EVENTS = DueEventRepository(), EventRepository()
_LANES, _REVERSALS, _BUDGETS = LaneRepository(), ReversalRepository(), BudgetRepository()

_LOOK = {
    "merchant": WHOLE,
    "reward_lane": WHOLE,
    "shop_order": "ix_shop_order_due",
    "interaction": "ix_interaction_due",
    "reversal": "ix_reversal_open",
}

LANES: dict[str, HotStatement] = {
    "look": HotStatement(
        call=lambda tx: list_waiting_lanes(tx, now=NOW, is_thorough=False),
        indexes=_LOOK,
        rows_max=ROWS_MANY,
    ),
    "thorough look": HotStatement(
        call=lambda tx: list_waiting_lanes(tx, now=NOW, is_thorough=True),
        indexes=_LOOK,
        rows_max=ROWS_MANY,
    ),
    "take": HotStatement(
        call=lambda tx: _LANES.take(tx, SHOP), indexes={"reward_lane": "pk_reward_lane"}
    ),
    "advance": HotStatement(
        call=lambda tx: _LANES.advance(tx, SHOP, 2), indexes={"reward_lane": "pk_reward_lane"}
    ),
    "count on": HotStatement(
        call=lambda tx: _LANES.count_on(tx, SHOP, 2), indexes={"reward_lane": "pk_reward_lane"}
    ),
    "promote orders": HotStatement(
        call=lambda tx: _QUEUE.promote(
            tx, SHOP, after=BEGIN, until=NOW, round_number=ROUND + 1, limit=5
        ),
        indexes={"shop_order": "ix_shop_order_due, pk_shop_order"},
        rows_max=6,
    ),
    "promote referrals": HotStatement(
        call=lambda tx: _DUE.promote(
            tx, SHOP, after=BEGIN, until=NOW, round_number=ROUND + 1, limit=5
        ),
        indexes={"interaction": "ix_interaction_due, pk_interaction"},
        rows_max=6,
    ),
    "ready referrals": HotStatement(
        call=lambda tx: _DUE.list_ready(
            tx,
            SHOP,
            round_number=ROUND,
            after=Place(time=BEGIN + timedelta(hours=1), reference=""),
            limit=5,
        ),
        indexes={"interaction": "ix_interaction_ready"},
    ),
    "last ready referrals": HotStatement(
        call=lambda tx: _DUE.list_last_ready(
            tx, SHOP, round_number=ROUND, after=None, skip=8, limit=5
        ),
        indexes={"interaction": "ix_interaction_ready"},
    ),
    "last ready orders": HotStatement(
        call=lambda tx: _QUEUE.list_last_ready(
            tx, SHOP, round_number=ROUND, after=None, skip=8, limit=5
        ),
        indexes={"shop_order": "ix_shop_order_ready"},
    ),
    "some ready referrals": HotStatement(
        call=lambda tx: _DUE.list_some_ready(
            tx,
            [InteractionId(id_of("referral interaction", n)) for n in (2, 4, 6)],
            round_number=ROUND,
        ),
        indexes={"interaction": "pk_interaction"},
    ),
    "fix": HotStatement(
        call=lambda tx: _QUEUE.fix(
            tx,
            SHOP,
            round_number=ROUND,
            after=(BEGIN + timedelta(hours=1), "order-3600"),
            until=NOW,
            put_off_time=NOW,
            limit=5,
        ),
        indexes={"shop_order": "ix_shop_order_ready, pk_shop_order"},
        rows_max=6,
    ),
    "has ready": HotStatement(
        call=lambda tx: _QUEUE.has_ready(tx, SHOP, round_number=ROUND),
        indexes={"shop_order": "ix_shop_order_ready"},
    ),
    "fixed": HotStatement(
        call=lambda tx: _QUEUE.list_fixed(tx, SHOP, ORDERS, round_number=ROUND),
        indexes={"shop_order": "pk_shop_order"},
    ),
    "let go": HotStatement(
        call=lambda tx: _QUEUE.let_go(
            tx, SHOP, [_let_go(order) for order in ORDERS], round_number=ROUND
        ),
        indexes={"shop_order": "pk_shop_order"},
    ),
    "settle": HotStatement(
        call=lambda tx: _REOPENING.settle(tx, SHOP, [_ended(order) for order in ORDERS]),
        indexes={"shop_order": "pk_shop_order"},
    ),
    "requeue": HotStatement(
        call=lambda tx: _REOPENING.requeue(tx, SHOP, [(order, 1) for order in ORDERS], now=NOW),
        indexes={"shop_order": "pk_shop_order"},
    ),
    "release for a rate": HotStatement(
        call=lambda tx: _REOPENING.release_for_rate(
            tx,
            pair="USD/EUR",
            observe_time=BEGIN + timedelta(minutes=5),
            stale_time=NOW,
            now=NOW,
            limit=5,
        ),
        indexes={"shop_order": "ix_shop_order_needed_rate, pk_shop_order"},
        rows_max=6,
    ),
    "open reversals": HotStatement(
        call=lambda tx: _REVERSALS.list_open(tx, SHOP, after=None, now=NOW, limit=5),
        indexes={"reversal": "ix_reversal_open"},
    ),
    "some reversals": HotStatement(
        call=lambda tx: _REVERSALS.list_some(tx, [ReversalId(id_of("reversal", 1))]),
        indexes={"reversal": "pk_reversal"},
    ),
    "lives with earlier reversals": HotStatement(
        call=lambda tx: _REVERSALS.list_with_earlier_open(
            tx, SHOP, [OrderLife(order_reference=order, generation=2) for order in ORDERS]
        ),
        indexes={"reversal": "uq_reversal_order"},
    ),
    "drained reversals": HotStatement(
        call=lambda tx: _REVERSALS.mark_drained(tx, _some_reversals(), first_sequence=1, now=NOW),
        indexes={"reversal": "pk_reversal"},
    ),
}

_REWARDS = RewardRepository()

DECIDING: dict[str, HotStatement] = {
    "interactions of orders": HotStatement(
        call=lambda tx: _EVENTS.list_of_orders(tx, SHOP, ORDERS),
        indexes={"interaction": "uq_interaction_purchase"},
    ),
    "cancelled interactions": HotStatement(
        call=lambda tx: _EVENTS.cancel(tx, SHOP, LIVES),
        indexes={"interaction": "uq_interaction_purchase"},
    ),
    "cancelled rewards": HotStatement(
        call=lambda tx: _REWARDS.cancel_for(tx, SHOP, _some_reversals()),
        indexes={
            "interaction": "uq_interaction_purchase",
            "reward": "uq_reward_identity, pk_reward",
            "ledger_unit": "pk_ledger_unit",
        },
    ),
    "chains": HotStatement(
        call=lambda tx: ReferralRepository().chains_as_of(
            tx, SHOP, [(person, NOW) for person in PEOPLE], 5
        ),
        indexes={"referral_link": "ix_referral_link_referee"},
        rows_max=15,
    ),
    "links": HotStatement(
        call=lambda tx: ReferralRepository().list_some(
            tx, SHOP, [ReferralLinkId(id_of("link", "new1"))]
        ),
        indexes={"referral_link": "pk_referral_link"},
    ),
    "touches": HotStatement(
        call=lambda tx: TouchpointRepository().touches_as_of(
            tx,
            [
                TouchQuery(
                    merchant_id=SHOP, identity_group_id=person, referrer_group_id=above, time=NOW
                )
                for person, above in zip(PEOPLE, [*PEOPLE[1:], None], strict=True)
            ],
            timedelta(days=30),
        ),
        indexes={"touchpoint": "ix_touchpoint_source, ix_touchpoint_referrer"},
        rows_max=9,
    ),
    "wallets": HotStatement(
        call=lambda tx: IdentityRepository().wallets_of(tx, PEOPLE),
        indexes={"identity_node": "uq_identity_node_wallet"},
    ),
    "campaigns": HotStatement(
        call=lambda tx: CampaignRepository().list_paying(tx, SHOP),
        indexes={
            "campaign": "ix_campaign_merchant",
            "campaign_rule_version": "pk_campaign_rule_version",
            "budget_item": "ix_budget_item_campaign",
        },
    ),
    "rates": HotStatement(
        call=lambda tx: RateRepository().as_of(
            tx, [(Pair(base="USD", quote="EUR"), NOW)], age_max=timedelta(days=7)
        ),
        indexes={"exchange_rate": "ix_exchange_rate_pair"},
    ),
    "locked windows": HotStatement(
        call=lambda tx: _BUDGETS.lock(tx, WINDOWS), indexes={"budget_window": "pk_budget_window"}
    ),
    "charged windows": HotStatement(
        call=lambda tx: _BUDGETS.charge(
            tx,
            [Charge(key=key, unit_key="token", base_units=1) for key in WINDOWS],
            [],
            ends={key: key.start_time + timedelta(seconds=1) for key in WINDOWS},
        ),
        indexes={"budget_item": "pk_budget_item"},
    ),
    "released windows": HotStatement(
        call=lambda tx: _BUDGETS.release(
            tx, [(RewardId(id_of("reward", n)), UUID(int=n)) for n in (1, 2)]
        ),
        indexes={"budget_window": "pk_budget_window", "budget_entry": "pk_budget_entry"},
    ),
    "decided": HotStatement(
        call=lambda tx: _DUE.mark_decided(
            tx, [(InteractionId(id_of("purchase interaction", n)), {}) for n in (1, 2)], now=NOW
        ),
        indexes={"interaction": "pk_interaction"},
    ),
    "postponed": HotStatement(
        call=lambda tx: _DUE.postpone(
            tx,
            [(InteractionId(id_of("purchase interaction", n)), NOW, None) for n in (1, 2)],
            obstacle=Obstacle.RATE_MISSING,
        ),
        indexes={"interaction": "pk_interaction"},
    ),
}


def _some_reversals() -> list[Reversal]:
    return [
        Reversal(
            reversal_id=ReversalId(id_of("reversal", 1)),
            life=LIVES[0],
            try_count=0,
            create_time=BEGIN,
        ),
        Reversal(
            reversal_id=ReversalId(id_of("reversal", 3)),
            life=LIVES[1],
            try_count=0,
            create_time=BEGIN,
        ),
    ]

"""What budgets leave of the decisions of one campaign."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import uuid4

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domains.campaign.model import (
    Asset,
    BudgetItem,
    BudgetState,
    CalendarMonths,
    Outcome,
    Rule,
    Tiles,
    WindowKey,
    decide,
)
from domains.campaign.model.budget import ALL_TIME
from tests.support.campaign import (
    ONE,
    PUBLISHED,
    TOKEN,
    UNUSED,
    a_campaign,
    a_definition,
    a_rule,
    an_item,
    decided,
    rules,
    some_facts,
)
from tests.support.rules import fixed
from vocabulary.amounts import POINTS
from vocabulary.ids import IdentityGroupId

INSTANT = timedelta(microseconds=1)
DAY = timedelta(days=1)
CHAIN = tuple(IdentityGroupId(uuid4()) for _ in range(3))
_LIMITS = st.integers(min_value=1, max_value=40 * ONE)


def test_what_is_used_up_to_the_limit_is_granted_and_one_unit_more_is_not() -> None:
    """A merchant would spend more than the limit, or could not spend all of it."""
    item = an_item(10 * ONE, label="spring")
    campaign = a_campaign(budget=[item])
    key = WindowKey(item.budget_item_id, ALL_TIME[0])

    last = decided(campaign, BudgetState({key: 9 * ONE}))
    assert last.outcome is Outcome.GRANTED

    refused = decided(campaign, BudgetState({key: 9 * ONE + 1}))
    assert refused.outcome is Outcome.BUDGET_REFUSED
    assert not refused.grants
    assert not refused.charges
    assert refused.refused is not None
    assert refused.refused.key == key
    assert refused.details == {
        "refused": {
            "label": "spring",
            "wanted": "1000000",
            "used": "9000001",
            "limit": "10000000",
            "window_start": ALL_TIME[0].isoformat(),
        }
    }


@pytest.mark.parametrize(
    ("budget", "label"),
    [
        # The token fits and the points do not; then the other way round.
        ([an_item(9 * ONE), an_item(ONE, label="points", asset=Asset.POINTS)], "points"),
        ([an_item(2 * ONE), an_item(9 * ONE, label="points", asset=Asset.POINTS)], "all"),
        # Two windows of one unit: each alone would be enough.
        (
            [an_item(9 * ONE), an_item(2 * ONE, label="a day", window=Tiles(duration=DAY))],
            "a day",
        ),
    ],
)
def test_a_decision_is_granted_whole_or_not_at_all(
    budget: Sequence[BudgetItem], label: str
) -> None:
    """Somebody would be paid half of what the campaign promises for one order."""
    rule = a_rule(
        a_definition(),
        a_definition(amount=fixed("2")),
        a_definition(asset=Asset.POINTS, amount=fixed("2")),
    )
    campaign = a_campaign(rule, budget=budget)

    decision, after = decide(campaign, some_facts(), UNUSED)

    assert decision.outcome is Outcome.BUDGET_REFUSED
    assert decision.refused is not None
    assert decision.refused.label == label
    assert not decision.grants
    assert after == UNUSED


def test_every_item_of_a_unit_is_charged_with_all_that_is_paid_in_it() -> None:
    """A limit would count only some of what it limits, or another asset's amounts too."""
    month = an_item(label="a month", window=CalendarMonths(time_zone="Europe/Paris"))
    budget = [an_item(), month, an_item(label="points", asset=Asset.POINTS)]
    rule = a_rule(
        a_definition(),
        a_definition(amount=fixed("2")),
        a_definition(asset=Asset.POINTS, amount=fixed("5")),
        a_definition(asset=Asset.DISCOUNT, amount=fixed("7")),
    )

    decision, after = decide(a_campaign(rule, budget=budget), some_facts(), UNUSED)

    assert decision.outcome is Outcome.GRANTED
    charged = [(each.key.budget_item_id, each.base_units) for each in decision.charges]
    assert charged == [
        (budget[0].budget_item_id, 3 * ONE),
        (budget[1].budget_item_id, 3 * ONE),
        (budget[2].budget_item_id, 5 * ONE),
    ]
    assert [each.unit_key for each in decision.charges] == [TOKEN.key, TOKEN.key, POINTS.key]
    assert after.used == {each.key: each.base_units for each in decision.charges}


@pytest.mark.parametrize("start_time", [None, PUBLISHED - timedelta(hours=5)])
def test_an_order_is_charged_to_the_window_of_its_own_time(start_time: datetime | None) -> None:
    """Orders that are reported late would use up today's budget."""
    item = an_item(ONE, window=Tiles(duration=DAY))
    campaign = a_campaign(budget=[item], start_time=start_time)
    origin = start_time or PUBLISHED
    state = UNUSED
    for event_time in (origin + 2 * DAY, origin, origin + DAY - INSTANT, origin + DAY):
        decision, state = decide(campaign, some_facts(event_time=event_time), state)

        is_second_of_its_day = event_time == origin + DAY - INSTANT
        assert decision.outcome is (
            Outcome.BUDGET_REFUSED if is_second_of_its_day else Outcome.GRANTED
        )
    assert state.used == {
        WindowKey(item.budget_item_id, origin + day * DAY): ONE for day in range(3)
    }


@given(
    rule=rules(),
    limits=st.tuples(_LIMITS, _LIMITS, _LIMITS, _LIMITS),
    hours=st.lists(st.integers(min_value=-30, max_value=100), max_size=8),
    chain_length=st.integers(min_value=0, max_value=3),
)
def test_budgets_hold_whatever_happens(
    rule: Rule, limits: tuple[int, int, int, int], hours: list[int], chain_length: int
) -> None:
    """Some order of events would spend more than a limit, or use it up without paying; or
    its decision could not be kept.
    """
    campaign = a_campaign(
        rule,
        start_time=PUBLISHED - DAY,
        budget=[
            an_item(limits[0]),
            an_item(limits[1], label="a day", window=Tiles(duration=DAY)),
            an_item(limits[2], label="points", asset=Asset.POINTS),
            an_item(limits[3], label="discount", asset=Asset.DISCOUNT),
        ],
    )
    limit_of = {item.budget_item_id: item for item in campaign.budget}
    state, used = UNUSED, 0
    for hour in hours:
        facts = some_facts(
            event_time=PUBLISHED + timedelta(hours=hour),
            chain=CHAIN[:chain_length],
            context={"purchase": {"amount": Decimal(100), "orderId": "A"}},
        )
        decision, after = decide(campaign, facts, state)

        orjson.dumps(decision.details)
        is_granted = decision.outcome is Outcome.GRANTED
        assert bool(decision.grants) is is_granted
        assert (decision.refused is not None) is (decision.outcome is Outcome.BUDGET_REFUSED)
        assert is_granted or after == state
        granted: dict[str, int] = {}
        for grant in decision.grants:
            assert grant.base_units > 0
            granted[grant.unit.key] = granted.get(grant.unit.key, 0) + grant.base_units
        for charge in decision.charges:
            assert charge.base_units == granted[charge.unit_key]
            assert after.used_of(charge.key) == state.used_of(charge.key) + charge.base_units
        used += sum(charge.base_units for charge in decision.charges)
        state = after
        for key, base_units in state.used.items():
            assert 0 < base_units <= limit_of[key.budget_item_id].limit
    assert sum(state.used.values()) == used

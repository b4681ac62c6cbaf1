"""The simulator's own eyes: a row that is made wrong is seen."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from sqlalchemy import text

from localmesh.postgres import Postgres
from tests.simulation.drawing import draw_round
from tests.simulation.history import Claim, FaultPlan, MerchantPlan, Report, RoundPlan
from tests.simulation.simulation import Outcome, Simulation, simulation_on
from tests.simulation.telling import tell

QUIET = FaultPlan(
    kills_of_callers=0,
    kills_of_workers_sessions=0,
    kills_of_workers=0,
    freezes=0,
    locks=0,
    forgetting=0,
)
CORRUPTIONS = {
    "the buyer": "UPDATE order_version SET identity_group_id = NULL WHERE link IS NOT NULL",
    "the date": "UPDATE order_version SET order_time = order_time - interval '1 hour'",
    "the life": "UPDATE order_version SET generation = generation + 1",
    "a budget": "UPDATE budget_window SET used_base_units = used_base_units + 1",
    "a reward": "UPDATE reward SET target_base_units = 0, state = 'cancelled',"
    " cancellation_reason = 'refund' WHERE state = 'pending'",
    "a balance": "UPDATE account SET balance = balance + 1",
    "a decision": "DELETE FROM decision",
    "a referral": "DELETE FROM interaction WHERE kind = 'referral'",
    "the lane": "UPDATE reward_lane SET next_sequence = next_sequence + 1",
    "what is left to do": "UPDATE interaction SET state = 'pending', decide_time = NULL"
    " WHERE state = 'decided'",
    "an inbox": "UPDATE delivery SET state = 'dead', passed_over = '', failure = 'it'",
    "a campaign": "UPDATE campaign_moment SET state = 'paused' WHERE state = 'active'",
}


@pytest.fixture(scope="module")
async def simulation(postgres: Postgres) -> AsyncIterator[Simulation]:
    """A simulation on a database of its own."""
    async with simulation_on(postgres.url_of, postgres.url, name="corrupted") as running:
        yield running


@pytest.fixture(scope="module")
async def outcome(simulation: Simulation) -> Outcome:
    """A round that went well, with orders that earned within limits."""
    seed = next(
        seed
        for seed in range(1, 100)
        for plan in draw_round(seed).merchants
        if plan.campaigns[0].limits and not plan.has_changing_campaigns and plan.is_patient
    )
    return await simulation.run([draw_round(seed)], QUIET)


def test_a_round_without_faults_is_right(outcome: Outcome) -> None:
    """Every seed would fail."""
    assert not outcome.breaches


@pytest.mark.parametrize("what", CORRUPTIONS)
async def test_what_is_made_wrong_is_seen(
    simulation: Simulation, outcome: Outcome, what: str
) -> None:
    """A fault of the product that does this would pass every seed."""
    assert await simulation.check_with(outcome.scenes, text(CORRUPTIONS[what]))


async def test_a_failure_tells_its_seed_and_its_history(
    simulation: Simulation, outcome: Outcome
) -> None:
    """Whoever meets a failing seed would not know where to begin."""
    breaches = await simulation.check_with(outcome.scenes, text(CORRUPTIONS["the date"]))
    broken = Outcome(scenes=outcome.scenes, tables=outcome.tables, breaches=breaches)
    seed = outcome.scenes[0].seed
    told = tell(seed, range(seed, seed + 3), broken, simulation.callers)
    assert f"make simulate FIRST={seed} SEEDS=3 TIMES=" in told
    assert "the row, version by version" in told
    assert "the model:" in told


def test_a_history_is_shortened_by_whole_orders() -> None:
    """A failing seed would be told with everything that has nothing to do with it."""
    plan: MerchantPlan = draw_round(1).merchants[0]
    kept, *others = [order for order in plan.orders if not order.startswith("first-")]
    short = plan.without_orders(frozenset(others))
    assert {each.order for each in short.evidence} == {kept}
    assert [each for each in short.evidence if isinstance(each, Claim | Report)] == [
        each for each in plan.evidence if each.order == kept
    ]
    assert RoundPlan(seed=1, merchants=(short,)).merchants[0].arrivals == plan.arrivals

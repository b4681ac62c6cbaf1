"""Rounds of the money path: concurrent callers, two workers, and faults, each from its seed."""

from __future__ import annotations

from typing import get_args

import pytest

from localmesh.postgres import Postgres
from tests.simulation.drawing import draw_faults, draw_round
from tests.simulation.history import Message
from tests.simulation.running import batches, run_seeds, shorten
from tests.simulation.simulation import simulation_on

SEEDS = 50


# A minute on two cores that do nothing else; what else runs takes its part.
@pytest.mark.timeout(600)
async def test_whatever_comes_in_whatever_order_the_books_hold(postgres: Postgres) -> None:
    """Somebody would be paid twice, not at all, or for another one's order."""
    async with simulation_on(postgres.url_of, postgres.url) as simulation:
        async for result in run_seeds(simulation, first=1, count=SEEDS):
            if result.failure is not None:
                shorter = await shorten(simulation, result.failure)
                pytest.fail(f"{result.failure.told}\n\n{shorter or ''}")


def test_a_round_is_what_its_seed_says() -> None:
    """A seed that failed would be another round the next time."""
    for seed in range(1, 30):
        assert draw_round(seed) == draw_round(seed)
        assert draw_faults(seed) == draw_faults(seed)
    assert len({str(draw_round(seed).merchants) for seed in range(1, 30)}) == 29


def test_a_seed_alone_is_in_the_batch_that_it_failed_in() -> None:
    """A seed that is run again by itself would meet other faults."""
    assert [list(each) for each in batches(17, 5)] == [[17, 18, 19, 20], [21]]


def test_rounds_have_everything_in_them() -> None:
    """Something that shops or people do would never be simulated."""
    merchants = [plan for seed in range(1, 51) for plan in draw_round(seed).merchants]
    messages = [each for plan in merchants for each in plan.messages]
    kinds = {type(each).__name__ for each in messages}
    assert kinds == {subclass.__name__ for subclass in get_args(Message)}
    states = {getattr(each, "state", None) for each in messages}
    assert states >= {"pending", "confirmed", "cancelled", "refunded"}
    actions = {getattr(each, "action", None) for each in messages}
    assert actions >= {"publish", "pause", "resume", "archive"}
    assert any(plan.poisoned for plan in merchants)
    assert any(plan.kept for plan in merchants)
    assert {plan.is_patient for plan in merchants} == {True, False}
    faults = [draw_faults(number) for number in range(5)]
    assert any(each.kills_of_workers for each in faults)
    assert any(each.kills_of_callers for each in faults)
    assert any(each.freezes for each in faults)
    assert any(each.locks for each in faults)
    assert any(not each.harms_workers for each in faults)

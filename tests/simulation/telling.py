"""Tells of a seed that failed: what does not hold, and the history that led there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from uuid import UUID

from tests.simulation.callers import Callers
from tests.simulation.checks import Breach
from tests.simulation.expected import walk
from tests.simulation.history import Arrival, Message, Rest
from tests.simulation.playing import Scene
from tests.simulation.simulation import Outcome

BREACHES_MAX = 6
LINES_MAX = 60
WORDS_MAX = 700


TIMES = 20
"""How often the seeds of a failure are run again, at most: what meets whom is left to chance."""


def tell(seed: int, seeds: Sequence[int], outcome: Outcome, callers: Callers) -> str:
    """All that is known of a failure, with the command that repeats it.

    That runs all seeds that ran side by side, because each is slower or faster for the others.
    """
    again = f"make simulate FIRST={seeds[0]} SEEDS={len(seeds)} TIMES={TIMES}"
    lines = [f"seed {seed} failed; again with: {again}"]
    # What a worker logged says that something went wrong, the others say what.
    breaches = sorted(outcome.breaches, key=lambda each: each.what.startswith("a worker logged"))
    for breach in breaches[:BREACHES_MAX]:
        lines += ["", *_lines_of(breach, outcome, callers)]
    left = len(breaches) - BREACHES_MAX
    if left > 0:
        lines.append(f"and {left} more")
    return "\n".join(lines)


def name_of(merchant_id: UUID | None, scenes: Sequence[Scene]) -> str:
    """Which merchant it is, as the plans name it."""
    for scene in scenes:
        if scene.shop.merchant_id == merchant_id:
            return scene.plan.name
        if merchant_id in {twin.merchant_id for twin in scene.twins}:
            return f"{scene.plan.name}, twin"
    return "somewhere"


def _lines_of(breach: Breach, outcome: Outcome, callers: Callers) -> Iterator[str]:
    what = breach.what if len(breach.what) <= WORDS_MAX else breach.what[:WORDS_MAX] + " …"
    yield f"{name_of(breach.merchant_id, outcome.scenes)}: {what}"
    scene = scene_of(breach.merchant_id, outcome.scenes)
    if scene is None or breach.merchant_id is None:
        return
    yield from _sent(breach.merchant_id, breach.order, callers)
    if breach.order is None:
        return
    people = outcome.tables.people_of(breach.merchant_id, scene.plan)
    versions = outcome.tables.versions_of(breach.merchant_id, callers)[breach.order]
    yield "  the row, version by version:"
    for version in versions:
        row = version.row
        if row.what != "written":
            yield f"    {version}"
            continue
        yield f"    {version}; {people.named(row.identity_group_id)} by {row.link}"
    buyer = walk(versions, people).expected.buyer
    yield f"  the model: {buyer[0]} by {buyer[1]}"


def scene_of(merchant_id: UUID | None, scenes: Sequence[Scene]) -> Scene | None:
    """The scene of a merchant or of its twin."""
    for scene in scenes:
        if merchant_id in {shop.merchant_id for shop in (scene.shop, *scene.twins)}:
            return scene
    return None


def _sent(merchant_id: UUID, order: str | None, callers: Callers) -> Iterator[str]:
    attempts = [each for each in callers.attempts_at(merchant_id) if _concerns(each.message, order)]
    yield "  sent, by when it began and ended:"
    begin = attempts[0].begin if attempts else None
    for each in attempts[:LINES_MAX]:
        assert begin is not None
        from_, until = (
            f"{(instant - begin).total_seconds():.3f}" for instant in (each.begin, each.end)
        )
        yield f"    {from_} to {until} {each.message} → {each.said}"


def _concerns(message: Message, order: str | None) -> bool:
    if order is None:
        return not isinstance(message, Arrival) or message.minute is None
    return isinstance(message, Rest) or getattr(message, "order", None) == order

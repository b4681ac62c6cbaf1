"""What must hold of every merchant of a simulation once all has come and nothing is due."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from infrastructure.database.transaction import Database
from tests.simulation.budgets import budget_breaches
from tests.simulation.callers import Callers
from tests.simulation.expected import Walked, walk
from tests.simulation.history import MerchantPlan
from tests.simulation.playing import Scene
from tests.simulation.tables import Tables
from tests.simulation.twins import twin_breaches
from tests.support.books import broken_invariants

_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
EXAMPLES_MAX = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Breach:
    """Something that must hold and does not. None: it is not known of whom or of which order."""

    what: str
    merchant_id: UUID | None = None
    order: str | None = None


async def breaches_of_books(database: Database, tables: Tables) -> list[Breach]:
    """What breaks the invariants of the books, with whose rows they are."""
    owners = tables.merchants_by_id()
    found = []
    for name, rows in (await broken_invariants(database)).items():
        said = [" ".join(map(str, row)) for row in rows]
        ids = [UUID(each) for text in said for each in _ID.findall(text)]
        merchants = [owners[each] for each in ids if each in owners]
        found.append(
            Breach(
                what=f"not so: {name}: {'; '.join(said[:EXAMPLES_MAX])}",
                merchant_id=merchants[0] if merchants else None,
            )
        )
    return found


def breaches_of_scene(scene: Scene, tables: Tables, callers: Callers) -> Iterator[Breach]:
    """What does not hold at a merchant and its twins."""
    walks: list[dict[str, Walked]] = []
    for shop in (scene.shop, *scene.twins):
        merchant_id = shop.merchant_id
        people = tables.people_of(merchant_id, scene.plan)
        versions = tables.versions_of(merchant_id, callers)
        # A report that was kept is applied by a worker, at a time that nobody noted.
        for order in callers.kept_for_later(merchant_id):
            versions.pop(order, None)
        walked = {order: walk(each, people) for order, each in versions.items()}
        walks.append(walked)
        for order, each in walked.items():
            if each.difference is not None:
                yield Breach(what=each.difference, merchant_id=merchant_id, order=order)
        whats = [
            *_undecided(tables, merchant_id),
            *_unfinished(tables, merchant_id),
            *_referrals(tables, merchant_id),
            *_sequence(tables, merchant_id),
            *_changed_campaigns(tables, merchant_id),
            *budget_breaches(tables, merchant_id),
        ]
        if shop is not scene.shop or not scene.plan.has_changing_campaigns:
            whats += _decisions(tables, merchant_id, scene.plan)
        for which, what in whats:
            yield Breach(what=what, merchant_id=merchant_id, order=which)
    for whose, which, what in twin_breaches(scene, tables, walks):
        yield Breach(what=what, merchant_id=whose, order=which)


Found = Iterator[tuple[str | None, str]]


def breaches_of_tries(scenes: Sequence[Scene], tables: Tables) -> Iterator[Breach]:
    """Tries that were charged although nothing failed by itself. Before anything is mended."""
    for scene in scenes:
        for each in tables.of("interactions", scene.shop.merchant_id):
            if each.order_reference in scene.plan.poisoned:
                continue
            if each.try_count or each.state == "dead":
                yield Breach(
                    what=f"{each.event_reference} was charged {each.try_count} tries:"
                    f" {each.state}, {each.obstacle}",
                    merchant_id=scene.shop.merchant_id,
                    order=each.order_reference,
                )


def _undecided(tables: Tables, merchant_id: UUID) -> Found:
    """Nothing is left undecided but what waits for a rate, and that is open."""
    orders = {each.order_reference: each for each in tables.of("orders", merchant_id)}
    for each in tables.of("interactions", merchant_id):
        name, order = each.event_reference, orders.get(each.order_reference)
        fixed = 0
        if order is not None:
            fixed = max(order.fixed_generation, order.decided_generation)
        if each.state == "dead" or (each.state == "pending" and not each.needed_rate):
            yield each.order_reference, f"{name} is never decided: {each.state}, {each.obstacle}"
        elif each.state == "pending" and fixed >= each.generation:
            yield each.order_reference, f"{name} waits, yet its buyer is fixed"


def _unfinished(tables: Tables, merchant_id: UUID) -> Found:
    """No round is half walked, everything was taken back, and every delivery was applied."""
    for each in tables.of("orders", merchant_id):
        if each.ready_round is not None:
            yield each.order_reference, f"{each.order_reference} stays in a round that is over"
    for each in tables.of("reversals", merchant_id):
        if each.drain_time is None:
            yield each.order_reference, f"{each.order_reference} is never taken back"
    for each in tables.of("deliveries", merchant_id):
        if each.state not in {"applied", "ignored"}:
            yield None, f"delivery {each.event_reference} is {each.state}"


def _referrals(tables: Tables, merchant_id: UUID) -> Found:
    """Whoever was brought fired one referral, by a link of their own."""
    brought: dict[UUID, set[UUID]] = {}
    for link in tables.of("links", merchant_id):
        brought.setdefault(link.referee_group_id, set()).add(link.referral_link_id)
    fired: dict[UUID, list[Any]] = {}
    for each in tables.of("interactions", merchant_id):
        if each.kind == "referral":
            fired.setdefault(each.identity_group_id, []).append(each)
    for person in brought.keys() | fired.keys():
        links = [each.referral_link_id for each in fired.get(person, [])]
        if len(links) != 1 or links[0] not in brought.get(person, set()):
            yield None, f"{person} was brought by {brought.get(person)}, and fired for {links}"


def _sequence(tables: Tables, merchant_id: UUID) -> Found:
    """Decisions and reversals have every number up to the lane's next one."""
    numbers = [each.sequence for each in tables.of("decisions", merchant_id)]
    numbers += [each.sequence for each in tables.of("reversals", merchant_id) if each.drain_time]
    lanes = tables.of("lanes", merchant_id)
    last = lanes[0].next_sequence - 1 if lanes else 0
    if sorted(numbers) != list(range(1, last + 1)):
        yield None, f"the lane's numbers up to {last} are {sorted(numbers)}"


def _changed_campaigns(tables: Tables, merchant_id: UUID) -> Found:
    """Nothing was decided by a campaign in another state than it was in at that moment."""
    states: dict[UUID, str] = {}
    for each in tables.of("campaign_moments", merchant_id):
        if each.state is not None:
            states[each.campaign_id] = each.state
            continue
        state = states[each.campaign_id]
        why = (each.details or {}).get("why")
        is_right = why == "paused" if state == "paused" else state == "active" and why != "paused"
        if not is_right:
            yield None, f"{each.interaction_id} was decided {each.outcome} by a {state} campaign"


def _decisions(tables: Tables, merchant_id: UUID, plan: MerchantPlan) -> Found:
    """Every campaign whose trigger it is has decided on every event, unless it is a draft."""
    triggers = {each.name: each.rule.trigger for each in plan.campaigns}
    names = {each.campaign_id: each.name for each in tables.of("campaigns", merchant_id)}
    made: dict[UUID, set[str]] = {}
    for each in tables.of("decisions", merchant_id):
        made.setdefault(each.interaction_id, set()).add(names[each.campaign_id])
    for each in tables.of("interactions", merchant_id):
        if each.state != "decided":
            continue
        found = made.get(each.interaction_id, set())
        wanted = {name for name, trigger in triggers.items() if trigger in each.facts["triggers"]}
        if found != wanted:
            yield each.order_reference, f"{each.event_reference}: {found} decided, not {wanted}"

"""Opens the merchants of rounds and lets happen there what the plans say."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from random import Random

from sqlalchemy import text

from tests.simulation.callers import Callers, wait
from tests.simulation.history import AtWork, MerchantPlan, Message, Report, Rest, RoundPlan
from tests.support.flows import Flows
from tests.support.shop import OPENED, Shop, a_shop

PATIENCE = timedelta(days=90)
"""How long patient merchants wait with their rewards: longer than a simulation takes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """A merchant of a plan, and its twins: the same, but nothing is decided before all has come.

    At a twin the messages come one at a time, in another order.
    """

    seed: int
    plan: MerchantPlan
    shop: Shop
    twins: tuple[Shop, ...]


async def open_scene(flows: Flows, round_plan: RoundPlan, plan: MerchantPlan) -> Scene:
    """Makes the merchants of a plan."""
    shop = await _open(flows, plan, is_patient=plan.is_patient)
    async with flows.database.transaction() as tx:
        for order in sorted(plan.poisoned | plan.kept):
            await tx.execute(
                text("INSERT INTO poisoned VALUES (:merchant_id, :order, :is_kept)"),
                {
                    "merchant_id": shop.merchant_id,
                    "order": order,
                    "is_kept": order not in plan.poisoned,
                },
            )
    # Campaigns that change meanwhile decide by the moment; their twins would tell nothing.
    count = 2 if plan.has_limits else 1
    twins = [await _open(flows, plan, is_patient=True) for _ in range(count)]
    return Scene(seed=round_plan.seed, plan=plan, shop=shop, twins=tuple(twins))


async def _open(flows: Flows, plan: MerchantPlan, *, is_patient: bool) -> Shop:
    shop = await a_shop(
        flows,
        *plan.campaigns,
        look_back=plan.look_back,
        attribution_model=plan.attribution_model,
        reward_delay=PATIENCE if is_patient else timedelta(),
    )
    ids = dict(shop.campaign_ids)
    for draft in plan.drafts:
        async with flows.database.transaction() as tx:
            made = await flows.campaigns.create(
                tx,
                shop.merchant_id,
                draft.maker(shop.merchant_id, priority=0, now=OPENED),
                change=None,
                validate_only=False,
                now=OPENED,
            )
            ids[draft.name] = made.campaign_id
    return Shop(flows=shop.flows, merchant=shop.merchant, campaign_ids=ids)


async def play(scene: Scene, callers: Callers) -> None:
    """Lets everything happen at a merchant and, at the same time, at its twins."""
    async with asyncio.TaskGroup() as group:
        group.create_task(_play_at_once(scene, callers))
        for number, twin in enumerate(scene.twins):
            group.create_task(_play_in_another_order(scene, twin, number, callers))


async def _begin(plan: MerchantPlan, shop: Shop, callers: Callers) -> None:
    messages: list[Message] = [*plan.arrivals, *plan.firsts]
    for message in messages:
        await callers.send(shop, message)


async def _play_at_once(scene: Scene, callers: Callers) -> None:
    await _begin(scene.plan, scene.shop, callers)
    for moment in scene.plan.moments:
        # Nobody who could send something waits with it.
        if Rest() in moment:
            await wait(scene.shop, Rest())
            continue
        messages: list[Message] = []
        for each in moment:
            if not isinstance(each, AtWork):
                messages += [each] * (each.copies if isinstance(each, Report) else 1)
            elif not scene.plan.is_patient:
                await wait(scene.shop, each)
        await callers.send(scene.shop, *messages)


async def _play_in_another_order(scene: Scene, twin: Shop, number: int, callers: Callers) -> None:
    await _begin(scene.plan, twin, callers)
    evidence = scene.plan.evidence
    Random(f"{scene.seed}, twin {number}").shuffle(evidence)
    for message in evidence:
        await callers.send(twin, message)

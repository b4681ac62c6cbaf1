"""The row of reward work: due events into rewards, by the stack's own worker."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

import grpc
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from bench.floors import pgbench
from bench.shop import Shop
from guerdon.orchestration.v1 import lane_pb2, lane_pb2_grpc
from server.running_stack import RunningStack

EVENTS = 6_000
BATCH_EVENTS = 200
REWARDS_EACH = 4
POLL_SECONDS = 0.02
STORED = 1_000_000
PEOPLE = 2_000

# A chain of four for every buyer: people of the first tenth refer the second, and so on.
_PEOPLE = text(
    """
    WITH people AS (
        INSERT INTO identity_group
        SELECT uuidv7(), now() FROM generate_series(1, CAST(:people AS int))
        RETURNING identity_group_id
    ), numbered AS (
        SELECT identity_group_id, row_number() OVER () - 1 AS n FROM people
    ), linked AS (
        INSERT INTO referral_link (merchant_id, referral_link_id, referrer_group_id,
                                   referee_group_id, start_time, create_time)
        SELECT :merchant_id, uuidv7(), upper.identity_group_id, lower.identity_group_id,
               now() - interval '10 days', now()
        FROM numbered AS lower JOIN numbered AS upper
          ON upper.n = lower.n - :people / 4 WHERE lower.n >= :people / 4
        RETURNING referrer_group_id, referee_group_id
    ), touched AS (
        INSERT INTO touchpoint (merchant_id, touchpoint_id, identity_group_id, source,
                                referrer_group_id, landing_url, arrival_time)
        SELECT :merchant_id, uuidv7(), referee_group_id, 'referral_link', referrer_group_id, '',
               now() - interval '9 days'
        FROM linked
    ), buyers AS (
        SELECT identity_group_id, row_number() OVER () - 1 AS n FROM numbered
        WHERE n >= 3 * :people / 4
    ), orders AS (
        INSERT INTO shop_order (merchant_id, order_reference, create_time, purchase_id,
                                first_report_time, state,
                                event_time, body_hash, order_time, token_digests, total, currency,
                                items, claim_count, claim_group_id, claim_time, claim_digest,
                                interaction_generation, due_time)
        SELECT :merchant_id, :prefix || event.n, now(), uuidv7(), now(), 'confirmed',
               now() - interval '1 day', sha256('x'), now() - interval '1 day',
               ARRAY[sha256('x')], 20 + event.n % 80, 'USD',
               '[{"name": "mug", "price": "20", "title": "Mug", "quantity": 1, "image_url": "",
                  "product_reference": "sku"}]',
               1, buyers.identity_group_id, now(), sha256('x'), 1, now()
        FROM generate_series(0, :events - 1) AS event (n)
        JOIN buyers ON buyers.n = event.n % (:people / 4)
        RETURNING merchant_id, order_reference
    )
    INSERT INTO interaction (interaction_id, merchant_id, kind, order_reference, generation,
                             due_time)
    SELECT uuidv7(), merchant_id, 'purchase', order_reference, 1, now() FROM orders
    """
)
_STORED = text(
    """
    INSERT INTO interaction (interaction_id, merchant_id, kind, order_reference, generation,
                             due_time, state, decide_time)
    SELECT uuidv7(), :merchant_id, 'purchase', 'stored-' || n, 1, now(), 'decided', now()
    FROM generate_series(1, :stored) AS n
    """
)
_REWARDS = text("SELECT count(*) FROM reward")
_FLOOR_TABLES = (
    "CREATE TABLE floor_decision (LIKE decision INCLUDING ALL)",
    "CREATE TABLE floor_reward (LIKE reward INCLUDING ALL)",
    "CREATE TABLE floor_transfer (LIKE transfer INCLUDING ALL)",
    "CREATE TABLE floor_entry (LIKE budget_entry INCLUDING ALL)",
    "CREATE TABLE floor_interaction (LIKE interaction INCLUDING ALL)",
    """
    INSERT INTO floor_interaction (interaction_id, merchant_id, kind, order_reference, generation,
                             due_time)
    SELECT uuidv7(), uuidv7(), 'purchase', n::text, 1, now()
    FROM generate_series(1, 200000) AS n
    """,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RewardRow:
    """Events a second, and what the floor writes of the same rows."""

    name: str
    per_second: float
    floor_per_second: float


async def reward_rows(
    stack: RunningStack, engine: AsyncEngine, shop: Shop, *, full: bool
) -> list[RewardRow]:
    """Lets the stack's worker decide a few thousand events.

    Once more beside a million stored ones if `full`.
    """
    async with grpc.aio.insecure_channel(stack.mesh_address) as channel:
        lane = _Lane(
            stub=lane_pb2_grpc.LaneServiceStub(channel),
            merchant_id=shop.merchant_id,
            proof=(("x-service-auth", stack.service_token),),
        )
        async with engine.begin() as connection:
            for statement in _FLOOR_TABLES:
                await connection.execute(text(statement))
        await _drain(engine, lane, "warm-")
        rate = await _drain(engine, lane, "measured-")
        batches = await pgbench(
            "reward_work.sql",
            database_url=stack.database_url,
            variables={"merchant_id": shop.merchant_id},
            clients=1,
        )
        floor = batches * BATCH_EVENTS
        rows = [RewardRow(name="reward work, events", per_second=rate, floor_per_second=floor)]
        if full:
            async with engine.begin() as connection:
                await connection.execute(text("SET LOCAL statement_timeout = 0"))
                await connection.execute(
                    _STORED, {"merchant_id": shop.merchant_id, "stored": STORED}
                )
            beside = await _drain(engine, lane, "beside-")
            name = f"… beside {STORED:,} stored"
            rows.append(RewardRow(name=name, per_second=beside, floor_per_second=floor))
    return rows


@dataclass(frozen=True, slots=True, kw_only=True)
class _Lane:
    """The lane of the bench's merchant, held while its events are made."""

    stub: lane_pb2_grpc.LaneServiceAsyncStub
    merchant_id: str
    proof: tuple[tuple[str, str], ...]

    async def hold(self) -> None:
        request = lane_pb2.HoldLaneRequest(merchant_id=self.merchant_id)
        await self.stub.HoldLane(request, metadata=self.proof)

    async def drain(self) -> None:
        release = lane_pb2.ReleaseLaneRequest(merchant_id=self.merchant_id)
        await self.stub.ReleaseLane(release, metadata=self.proof)
        request = lane_pb2.GetLaneRequest(merchant_id=self.merchant_id)
        while (await self.stub.GetLane(request, metadata=self.proof)).lane.due_count:
            await asyncio.sleep(POLL_SECONDS)


async def _drain(engine: AsyncEngine, lane: _Lane, prefix: str) -> float:
    await lane.hold()
    async with engine.begin() as connection:
        await connection.execute(
            _PEOPLE,
            {
                "merchant_id": lane.merchant_id,
                "people": PEOPLE,
                "events": EVENTS,
                "prefix": prefix,
            },
        )
        before = (await connection.execute(_REWARDS)).scalar_one()
    async with engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
        await connection.execute(text("ANALYZE"))
    begin = time.perf_counter()
    await lane.drain()
    seconds = time.perf_counter() - begin
    async with engine.connect() as connection:
        after = (await connection.execute(_REWARDS)).scalar_one()
    assert after - before == REWARDS_EACH * EVENTS, (before, after)
    return EVENTS / seconds

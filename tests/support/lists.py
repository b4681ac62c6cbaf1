"""Lists of a merchant with rows of every state, several in every millisecond."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from google.protobuf.timestamp_pb2 import Timestamp
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from guerdon.purchases.v1 import purchases_pb2
from guerdon.rewards.v1 import rewards_pb2
from tests.support.mesh import Mesh
from tests.support.rpc_shop import open_shop
from vocabulary.recording import least_id

NOON = datetime(2025, 3, 1, 12, tzinfo=UTC)
MILLISECOND = timedelta(milliseconds=1)
ROWS, MILLISECONDS = 48, 6
PEOPLE = (uuid4(), uuid4())
PURCHASES = (uuid4(), uuid4())

_INTERACTION = """
    INSERT INTO interaction (interaction_id, merchant_id, kind, order_reference, generation, state,
                             due_time, decide_time)
    VALUES (:id, :merchant_id, 'purchase', :name, 1, :state, :now,
            CASE WHEN :state = 'decided' THEN CAST(:now AS timestamptz) END)
"""
_ORDER = """
    INSERT INTO shop_order (merchant_id, order_reference, create_time, purchase_id,
        first_report_time, state, event_time, body_hash, order_time, total, currency, items, voided)
    VALUES (:merchant_id, :name, :now, {id}, :now, {state}, :now, '', :now, 1, 'EUR', '[]',
            {state} IN ('cancelled', 'refunded'))
"""
_DELIVERY = """
    INSERT INTO delivery (merchant_id, delivery_id, platform, signed_digest, event_reference,
        headers, body, state, passed_over, receive_time, body_time, retry_time)
    VALUES (:merchant_id, :id, 'custom', sha256(CAST(CAST(:name AS text) AS bytea)), '', '{}', '',
            :state, CASE WHEN :state = 'ignored' THEN 'trial' ELSE '' END, :now, :now,
            CASE WHEN :state = 'failed' THEN CAST(:now AS timestamptz) END)
"""
_UNIT = "INSERT INTO ledger_unit VALUES (:merchant_id, 'token', 6) ON CONFLICT DO NOTHING"
_REWARD = """
    INSERT INTO reward (reward_id, merchant_id, interaction_id, campaign_id, definition_index,
        identity_group_id, role, purchase_id, unit, granted_base_units, target_base_units, state,
        cancellation_reason, description, event_time, create_time)
    VALUES (:id, :merchant_id, :also, :also, 0, :person, 'user', :purchase, 'token', 1,
            CASE :state WHEN 'pending' THEN 1 ELSE 0 END, :state,
            CASE :state WHEN 'cancelled' THEN 'refund' END, '', :now, :now)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class List:
    """A list, how rows of it are written, and how a caller of JSON asks for it."""

    path: str
    request: Any
    key: str
    json_path: str
    states: Sequence[str]
    writes: Sequence[str]
    id_field: str
    time_field: str = "record_time"
    state_key: str = "state"

    def number_of(self, state: str) -> int:
        """The state as requests name it."""
        field = self.request.DESCRIPTOR.fields_by_name["state"]
        number: int = field.enum_type.values_by_name[f"STATE_{state.upper()}"].number
        return number


LISTS = {
    "rewards": List(
        path="guerdon.rewards.v1.RewardsService/ListRewards",
        request=rewards_pb2.ListRewardsRequest,
        key="rewards",
        json_path="rewards",
        states=("pending", "cancelled"),
        writes=(
            _UNIT,
            _INTERACTION.replace(":id", ":also").replace(":state", "'pending'"),
            _REWARD,
        ),
        id_field="reward_id",
        time_field="create_time",
    ),
    "interactions": List(
        path="guerdon.rewards.v1.RewardsService/ListInteractions",
        request=rewards_pb2.ListInteractionsRequest,
        key="interactions",
        json_path="interactions",
        states=("pending", "decided", "cancelled", "dead"),
        writes=(_ORDER.format(id=":also", state="'confirmed'"), _INTERACTION),
        id_field="interaction_id",
    ),
    "purchases": List(
        path="guerdon.purchases.v1.PurchasesService/ListPurchases",
        request=purchases_pb2.ListPurchasesRequest,
        key="purchases",
        json_path="purchases",
        states=("pending", "confirmed", "cancelled", "refunded"),
        writes=(_ORDER.format(id=":id", state=":state"),),
        id_field="purchase_id",
        state_key="status",
    ),
    "deliveries": List(
        path="guerdon.purchases.v1.PurchasesService/ListDeliveries",
        request=purchases_pb2.ListDeliveriesRequest,
        key="deliveries",
        json_path="deliveries",
        states=("applied", "ignored", "failed", "dead"),
        writes=(_DELIVERY,),
        id_field="delivery_id",
    ),
}

# Whole milliseconds and what lies between them; before everything, and long after it.
BOUNDS: tuple[Timestamp | None, ...] = (
    None,
    *(
        Timestamp(seconds=int(NOON.timestamp()), nanos=1_000_000 * number + nanos)
        for number in range(MILLISECONDS + 1)
        for nanos in (0, 1, 999_999)
    ),
    Timestamp(seconds=-1, nanos=999_999_999),
    Timestamp(seconds=-62_135_596_800, nanos=2_000),
    Timestamp(seconds=253_402_300_799),
)


def after_epoch(instant: Timestamp) -> int:
    """The instant in nanoseconds."""
    return instant.seconds * 10**9 + instant.nanos


def an_id(random_bits: random.Random, millisecond: int) -> UUID:
    """An id as a process makes it at that millisecond after noon."""
    least = least_id(int(NOON.timestamp()) * 1_000 + millisecond).int
    return UUID(int=least | 7 << 76 | 2 << 62 | random_bits.getrandbits(62))


@dataclass(frozen=True, slots=True, kw_only=True)
class Filled:
    """A merchant's list with rows of every state, several in every millisecond."""

    mesh: Mesh
    what: List
    merchant_id: str
    rows: Sequence[Any]

    async def page(self, **asked: Any) -> Any:
        """A page of what is asked for."""
        given = {name: value for name, value in asked.items() if value is not None}
        request = self.what.request(merchant_id=self.merchant_id, **given)
        return await self.mesh.call(self.what.path, request)

    async def walk(self, **asked: Any) -> list[Any]:
        """All pages of what is asked for."""
        found: list[Any] = []
        token = ""
        while True:
            page = await self.page(page_token=token, **asked)
            found += getattr(page, self.what.key)
            token = page.next_page_token
            if not token:
                return found

    def wanted(
        self, *, state: int = 0, start_time: Timestamp | None, end_time: Timestamp | None
    ) -> list[Any]:
        """The rows that the list has to show, by what it shows of them."""
        return [
            row
            for row in self.rows
            if state in (0, row.state)
            and (start_time is None or after_epoch(self.shown(row)) >= after_epoch(start_time))
            and (end_time is None or after_epoch(self.shown(row)) < after_epoch(end_time))
        ]

    def shown(self, row: Any) -> Timestamp:
        """When a row was recorded, as its message says."""
        shown: Timestamp = getattr(row, self.what.time_field)
        return shown


async def filled(mesh: Mesh, engine: AsyncEngine, name: str) -> Filled:
    """A list of a new merchant, in which a second merchant's rows are not."""
    shop, other = await open_shop(mesh), await open_shop(mesh)
    each, chance = LISTS[name], random.Random(shop.merchant_id)
    async with engine.begin() as connection:
        for number in range(2 * ROWS):
            values: Mapping[str, object] = {
                "merchant_id": UUID((other if number % 2 else shop).merchant_id),
                "id": an_id(chance, number // 2 % MILLISECONDS),
                "also": uuid4(),
                "name": f"A-{number}",
                "state": each.states[number // 2 // MILLISECONDS % len(each.states)],
                "person": chance.choice(PEOPLE),
                "purchase": chance.choice(PURCHASES),
                "now": NOON,
            }
            for write in each.writes:
                statement = text(write)
                named = statement.compile().params.keys()
                await connection.execute(statement, {key: values[key] for key in named})
    empty = Filled(mesh=mesh, what=each, merchant_id=shop.merchant_id, rows=())
    rows = await empty.walk(page_size=500)
    assert len(rows) == ROWS
    return Filled(mesh=mesh, what=each, merchant_id=shop.merchant_id, rows=rows)


def stretches() -> Iterator[tuple[Timestamp | None, Timestamp | None]]:
    """Every start and end that make a stretch of time."""
    for start in BOUNDS:
        for end in BOUNDS:
            if start is None or end is None or after_epoch(start) < after_epoch(end):
                yield start, end

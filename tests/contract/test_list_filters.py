"""Lists by state and by time: what is shown is what was asked for, and all of it."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from uuid import UUID, uuid4

import grpc
import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from guerdon.purchases.v1 import purchases_pb2
from guerdon.rewards.v1 import rewards_pb2
from tests.support.json_mesh import JsonMesh, refused_by
from tests.support.mesh import Mesh
from tests.support.refusals import refusal_by
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
every_list = pytest.mark.parametrize("name", LISTS)

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


@pytest.fixture(scope="session")
async def all_listed(mesh: Mesh, contract_engine: AsyncEngine) -> Mapping[str, Filled]:
    return {name: await filled(mesh, contract_engine, name) for name in LISTS}


@pytest.fixture
def listed(all_listed: Mapping[str, Filled], name: str) -> Filled:
    return all_listed[name]


def stretches() -> Iterator[tuple[Timestamp | None, Timestamp | None]]:
    """Every start and end that make a stretch of time."""
    for start in BOUNDS:
        for end in BOUNDS:
            if start is None or end is None or after_epoch(start) < after_epoch(end):
                yield start, end


@every_list
async def test_a_list_is_in_the_order_of_the_times_that_it_shows(listed: Filled) -> None:
    """Whoever reads up to the last time that they know would miss what stands below."""
    times = [after_epoch(listed.shown(row)) for row in listed.rows]
    assert all(newer >= older for newer, older in pairwise(times))
    base = after_epoch(Timestamp(seconds=int(NOON.timestamp())))
    assert set(times) == {base + 10**6 * number for number in range(MILLISECONDS)}


@every_list
async def test_filters_show_what_filtering_all_rows_would(listed: Filled) -> None:
    """A report of a month would lack rewards, or count some of the next month."""
    chance = random.Random(listed.what.key)
    states = [0, *(listed.what.number_of(state) for state in listed.what.states)]
    asked = [(state, *stretch) for state in states for stretch in stretches()]
    whole = chance.sample(asked, 60)
    assert any(listed.wanted(state=each[0], start_time=each[1], end_time=each[2]) for each in whole)
    for state, start, end in whole:
        found = await listed.walk(
            state=state,
            start_time=start,
            end_time=end,
            page_size=chance.choice((3, 7, 500)),
        )
        assert found == listed.wanted(state=state, start_time=start, end_time=end), (
            state,
            start,
            end,
        )


@every_list
async def test_a_start_belongs_to_its_stretch_and_an_end_does_not(listed: Filled) -> None:
    """Of two stretches that meet, an item would be in both, or in none."""
    times = sorted({after_epoch(listed.shown(row)) for row in listed.rows})
    meet = Timestamp(seconds=times[2] // 10**9, nanos=times[2] % 10**9)
    earlier = await listed.walk(end_time=meet)
    later = await listed.walk(start_time=meet)

    assert later + earlier == listed.rows
    assert {after_epoch(listed.shown(row)) for row in later} == set(times[2:])


@every_list
@pytest.mark.parametrize("late", [timedelta(), timedelta(microseconds=1)])
async def test_an_end_that_is_not_after_the_start_is_refused(
    listed: Filled, late: timedelta
) -> None:
    """A caller who mixed the two up would take the empty list for the truth."""
    start, end = Timestamp(), Timestamp()
    start.FromDatetime(NOON + late)
    end.FromDatetime(NOON)
    told = await refusal_by(listed.page(start_time=start, end_time=end))

    assert told.code is grpc.StatusCode.INVALID_ARGUMENT
    assert (told.reason, told.fields) == ("REQUEST_INVALID", ("end_time",))


@every_list
async def test_a_token_is_of_its_state_and_times(listed: Filled) -> None:
    """The rest of one month would be shown as that of another."""
    start, later = Timestamp(), Timestamp()
    start.FromDatetime(NOON - MILLISECOND)
    later.FromDatetime(NOON + MILLISECOND)
    token = (await listed.page(start_time=start, page_size=1)).next_page_token
    state = listed.what.number_of(listed.what.states[0])
    for asked in (
        {"start_time": later},
        {"start_time": start, "end_time": later},
        {"start_time": start, "state": state},
        {},
    ):
        told = await refusal_by(listed.page(page_token=token, page_size=1, **asked))
        assert told.reason == "PAGE_TOKEN_INVALID", asked


@every_list
async def test_a_query_filters_as_a_request_does(json_mesh: JsonMesh, listed: Filled) -> None:
    """Dashboards would be shown everything, whatever they ask for."""
    path = f"/business/merchant/{listed.merchant_id}/{listed.what.json_path}"
    state = listed.what.states[1]
    start, end = Timestamp(), Timestamp()
    start.FromDatetime(NOON + MILLISECOND)
    end.FromDatetime(NOON + 5 * MILLISECOND)
    asked = {
        listed.what.state_key: f"STATE_{state.upper()}",
        "startTime": "2025-03-01T13:00:00.001+01:00",
        "endTime": "2025-03-01T12:00:00.005Z",
        "pageSize": "2",
    }
    id_key = listed.what.id_field.replace("_id", "Id")
    found: list[str] = []
    token = ""
    while True:
        answer = await json_mesh.mesh.get(path, params={**asked, "pageToken": token})
        assert answer.status_code == 200, answer.text
        page = answer.json()
        found += [row[id_key] for row in page[listed.what.key]]
        token = page["nextPageToken"]
        if not token:
            break

    wanted = listed.wanted(state=listed.what.number_of(state), start_time=start, end_time=end)
    assert wanted
    assert found == [getattr(row, listed.what.id_field) for row in wanted]


@every_list
async def test_a_query_that_is_wrong_is_refused_by_name(
    json_mesh: JsonMesh, listed: Filled
) -> None:
    """A slip would be taken for no filter at all."""
    path = f"/business/merchant/{listed.merchant_id}/{listed.what.json_path}"
    wrong: Sequence[tuple[dict[str, str], str]] = (
        ({listed.what.state_key: "STATE_UNHEARD_OF"}, listed.what.state_key),
        ({listed.what.state_key: "99"}, listed.what.state_key),
        ({"startTime": "yesterday"}, "startTime"),
        ({"endTime": "2025-03-01"}, "endTime"),
        ({"endTime": "10000-01-01T00:00:00Z"}, "endTime"),
        ({"startTime": "2025-03-02T00:00:00Z", "endTime": "2025-03-01T00:00:00Z"}, "endTime"),
        ({"startsAt": "2025-03-02T00:00:00Z"}, "startsAt"),
    )
    for asked, field in wrong:
        told = refused_by(await json_mesh.mesh.get(path, params=asked))
        assert (told.status, told.reason) == (400, "REQUEST_INVALID"), asked
        assert list(told.violations) == [field], asked


@every_list
async def test_a_state_that_the_contract_does_not_know_is_refused(listed: Filled) -> None:
    """A client of another version would read the whole list for a part of it."""
    told = await refusal_by(listed.page(state=99))
    assert (told.reason, told.fields) == ("REQUEST_INVALID", ("state",))


@pytest.mark.parametrize("name", ["rewards"])
async def test_rewards_of_a_person_and_a_purchase_are_filtered_too(listed: Filled) -> None:
    """One filter would put another one out of force."""
    start, end = Timestamp(), Timestamp()
    start.FromDatetime(NOON + MILLISECOND)
    end.FromDatetime(NOON + 4 * MILLISECOND)
    times = {"start_time": start, "end_time": end}
    for state in (0, *(listed.what.number_of(each) for each in listed.what.states)):
        for person in (None, *map(str, PEOPLE)):
            for purchase in (None, *map(str, PURCHASES)):
                found = await listed.walk(
                    state=state,
                    identity_group_id=person,
                    purchase_id=purchase,
                    page_size=2,
                    **times,
                )
                assert found == [
                    row
                    for row in listed.wanted(state=state, **times)
                    if person in (None, row.identity_group_id)
                    and purchase in (None, row.purchase_id)
                ]


@pytest.mark.parametrize("name", ["purchases"])
async def test_an_orders_purchase_is_filtered_too(listed: Filled) -> None:
    """Whoever asks whether an order was paid in March would be told of one in May."""
    row = listed.rows[len(listed.rows) // 2]
    asked = {"order_reference": row.order_reference}
    shown = listed.shown(row)
    end = Timestamp(seconds=shown.seconds, nanos=shown.nanos + 1)
    others = {listed.what.number_of(each) for each in listed.what.states} - {row.state}

    assert await listed.walk(state=row.state, start_time=shown, end_time=end, **asked) == [row]
    assert await listed.walk(end_time=shown, **asked) == []
    assert await listed.walk(start_time=end, **asked) == []
    assert await listed.walk(state=min(others), **asked) == []


@pytest.mark.parametrize("minutes", [0, 90])
async def test_what_is_recorded_is_dated_by_the_clock_of_all_processes(
    mesh: Mesh, monkeypatch: pytest.MonkeyPatch, minutes: int
) -> None:
    """What a host with a slow clock recorded would be in nobody's report of that hour."""
    shop = await open_shop(mesh)
    client = str(uuid4())
    await shop.create_campaign()
    clock = mesh.application.clock
    monkeypatch.setattr(clock, "_offset", timedelta(minutes=minutes))
    before = clock().replace(microsecond=0)
    await shop.order("A-1", client_id=client)
    await shop.work()
    after = clock()

    for each in LISTS.values():
        request = each.request(merchant_id=shop.merchant_id)
        request.start_time.FromDatetime(before)
        request.end_time.FromDatetime(after)
        rows = getattr(await mesh.call(each.path, request), each.key)
        assert rows, each.key
        for row in rows:
            shown = getattr(row, each.time_field).ToDatetime(tzinfo=UTC)
            assert before <= shown < after

"""Lists by state and by time: what is shown is what was asked for, and all of it."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from datetime import UTC, timedelta
from itertools import pairwise
from uuid import uuid4

import grpc
import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.support.json_mesh import JsonMesh, refused_by
from tests.support.lists import (
    LISTS,
    MILLISECOND,
    MILLISECONDS,
    NOON,
    PEOPLE,
    PURCHASES,
    Filled,
    after_epoch,
    filled,
    stretches,
)
from tests.support.mesh import Mesh
from tests.support.refusals import refusal_by
from tests.support.rpc_shop import open_shop

every_list = pytest.mark.parametrize("name", LISTS)


@pytest.fixture(scope="session")
async def all_listed(mesh: Mesh, contract_engine: AsyncEngine) -> Mapping[str, Filled]:
    return {name: await filled(mesh, contract_engine, name) for name in LISTS}


@pytest.fixture
def listed(all_listed: Mapping[str, Filled], name: str) -> Filled:
    return all_listed[name]


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

"""Arrivals on PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from itertools import combinations_with_replacement, product
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text

from domains.attribution.model import (
    AttributedTouch,
    Attribution,
    Source,
    Touchpoint,
    TouchQuery,
    Utm,
)
from domains.attribution.repository import TouchpointRepository
from infrastructure.database.transaction import Database
from tests.support.attribution import ARRIVED, a_touchpoint, add_touchpoints
from vocabulary.ids import IdentityGroupId, MerchantId, TouchpointId

LOOK_BACK = timedelta(days=30)
INSTANT = timedelta(microseconds=1)
SHOP = MerchantId(uuid4())
REFERRER = IdentityGroupId(uuid4())
UTM = Utm(source="newsletter", medium="email")

repository = TouchpointRepository()


def a_query(
    *,
    merchant_id: MerchantId = SHOP,
    identity_group_id: IdentityGroupId,
    referrer_group_id: IdentityGroupId | None = REFERRER,
) -> TouchQuery:
    return TouchQuery(
        merchant_id=merchant_id,
        identity_group_id=identity_group_id,
        referrer_group_id=referrer_group_id,
        time=ARRIVED,
    )


def the_rule(touches: Sequence[Touchpoint], query: TouchQuery) -> Attribution:
    """What the statement is to answer, said once more and slowly."""
    valid = [
        each
        for each in touches
        if each.merchant_id == query.merchant_id
        and each.identity_group_id == query.identity_group_id
        and query.time - LOOK_BACK < each.arrival_time <= query.time
    ]
    by_link = [each for each in valid if each.source is Source.REFERRAL_LINK]
    newest = max(
        by_link or valid, key=lambda each: (each.arrival_time, each.touchpoint_id), default=None
    )
    return Attribution(
        touched_by_referrer=query.referrer_group_id is not None
        and query.referrer_group_id in {each.referrer_group_id for each in valid},
        touch=AttributedTouch(
            touchpoint_id=newest.touchpoint_id, source=newest.source, utm=newest.utm
        )
        if newest is not None
        else None,
    )


async def test_the_statement_and_the_rule_agree_on_every_corner(database: Database) -> None:
    """Somebody would be credited for an arrival that is too old, too late, or another
    person's; or an advertisement would beat a friend.
    """
    doors = [
        (Source.REFERRAL_LINK, REFERRER, None),
        (Source.REFERRAL_LINK, IdentityGroupId(uuid4()), UTM),
        (Source.PAID_AD, None, UTM),
        (Source.DIRECT, None, None),
    ]
    ages = [-INSTANT, timedelta(), INSTANT, LOOK_BACK - INSTANT, LOOK_BACK, LOOK_BACK + INSTANT]
    arrivals = [
        a_touchpoint(
            merchant_id=SHOP,
            source=source,
            referrer_group_id=referrer,
            utm=utm,
            arrival_time=ARRIVED - age,
        )
        for (source, referrer, utm), age in product(doors, ages)
    ]
    touches = []
    queries = []
    for pair in combinations_with_replacement(arrivals, 2):
        person = IdentityGroupId(uuid4())
        touches += [
            replace(each, touchpoint_id=TouchpointId(uuid4()), identity_group_id=person)
            for each in pair
        ]
        queries += [
            a_query(identity_group_id=person),
            a_query(identity_group_id=person, referrer_group_id=None),
        ]
    queries += [
        a_query(identity_group_id=touches[0].identity_group_id, merchant_id=MerchantId(uuid4())),
        a_query(identity_group_id=IdentityGroupId(uuid4())),
    ]
    async with database.transaction() as tx:
        await add_touchpoints(tx, touches)

        answers = await repository.touches_as_of(tx, queries, LOOK_BACK)

    by_person: dict[IdentityGroupId, list[Touchpoint]] = {}
    for touch in touches:
        by_person.setdefault(touch.identity_group_id, []).append(touch)
    assert answers == [
        the_rule(by_person.get(query.identity_group_id, []), query) for query in queries
    ]
    assert {answer.touched_by_referrer for answer in answers} == {True, False}
    assert None in {answer.touch for answer in answers}


async def test_each_query_of_a_batch_has_its_own_time(database: Database) -> None:
    """A late order would be credited by what the person did after it."""
    person = IdentityGroupId(uuid4())
    early = a_touchpoint(merchant_id=SHOP, identity_group_id=person)
    late = replace(
        early, touchpoint_id=TouchpointId(uuid4()), arrival_time=ARRIVED + timedelta(days=20)
    )
    days = [-1, 0, 19, 20, 30, 49, 50]
    expected = [None, early, early, late, late, late, None]
    query = a_query(identity_group_id=person)
    async with database.transaction() as tx:
        await add_touchpoints(tx, [early, late])

        answers = await repository.touches_as_of(
            tx,
            [replace(query, time=ARRIVED + timedelta(days=day)) for day in days],
            LOOK_BACK,
        )
        assert await repository.touches_as_of(tx, [], LOOK_BACK) == []

    found = [answer.touch.touchpoint_id if answer.touch else None for answer in answers]
    assert found == [each.touchpoint_id if each else None for each in expected]


async def test_a_day_of_the_look_back_has_24_hours(database: Database) -> None:
    """A session in a zone with summer time would lengthen the window by an hour, in which
    people would be credited or not by the server's settings.
    """
    half_an_hour = timedelta(minutes=30)
    # Clocks went forward on 30 March 2025 and back on 26 October.
    times = [ARRIVED + timedelta(days=day) for day in (30, 240)]
    corners = list(product(times, (-half_an_hour, half_an_hour)))
    touches = [
        a_touchpoint(merchant_id=SHOP, arrival_time=time - LOOK_BACK + offset)
        for time, offset in corners
    ]
    queries = [
        replace(a_query(identity_group_id=touch.identity_group_id), time=time)
        for touch, (time, _) in zip(touches, corners, strict=True)
    ]
    async with database.transaction() as tx:
        await tx.execute(text("SET LOCAL timezone TO 'Europe/Paris'"))
        await add_touchpoints(tx, touches)

        answers = await repository.touches_as_of(tx, queries, LOOK_BACK)

    assert [answer.touch is not None for answer in answers] == [False, True, False, True]


@pytest.mark.parametrize("named", [True, False])
async def test_arrivals_come_newest_first(database: Database, *, named: bool) -> None:
    """A page would skip arrivals, repeat them, or show another shop's or person's."""
    person = IdentityGroupId(uuid4())
    touches = [
        a_touchpoint(
            touchpoint_id=UUID(int=number),
            merchant_id=SHOP,
            identity_group_id=person,
            source=source,
            referrer_group_id=referrer,
            utm=utm,
        )
        for number, source, referrer, utm in [
            (9, Source.REFERRAL_LINK, REFERRER, None),
            (7, Source.PAID_AD, None, UTM),
            (2, Source.DIRECT, None, None),
        ]
    ]
    stranger = a_touchpoint(touchpoint_id=UUID(int=8), merchant_id=SHOP)
    elsewhere = a_touchpoint(touchpoint_id=UUID(int=6), identity_group_id=person)
    expected = touches if named else [touches[0], stranger, *touches[1:]]
    who = person if named else None
    async with database.transaction() as tx:
        await add_touchpoints(tx, [*reversed(touches), stranger, elsewhere])

        for start, limit in product(range(len(expected)), (1, 9)):
            page = await repository.list_newest(
                tx,
                SHOP,
                identity_group_id=who,
                before=expected[start - 1].touchpoint_id if start else None,
                limit=limit,
            )
            assert page == expected[start : start + limit]

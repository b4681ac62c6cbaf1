"""Referral links on PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import product
from random import Random
from uuid import UUID, uuid4

import pytest
from sqlalchemy.exc import IntegrityError

from domains.referral.model import ReferralLink
from domains.referral.repository import ReferralRepository
from infrastructure.database.transaction import Database
from tests.support.referral import STARTED, a_link, add_links
from vocabulary.ids import IdentityGroupId, MerchantId

INSTANT = timedelta(microseconds=1)
DAY = timedelta(days=1)
SHOP = MerchantId(uuid4())

repository = ReferralRepository()


def people(count: int) -> list[IdentityGroupId]:
    return [IdentityGroupId(uuid4()) for _ in range(count)]


def the_rule(
    links: Sequence[ReferralLink], person: IdentityGroupId, time: datetime, depth_max: int
) -> list[IdentityGroupId]:
    """What the statement is to answer, said once more and slowly."""
    chain = [person]
    while len(chain) <= depth_max:
        counting = [
            link
            for link in links
            if link.referee_group_id == chain[-1]
            and link.start_time <= time
            and (link.end_time is None or link.end_time > time)
        ]
        if not counting:
            break
        newest = max(counting, key=lambda link: (link.start_time, link.referral_link_id))
        if newest.referrer_group_id in chain:
            break
        chain.append(newest.referrer_group_id)
    return chain[1:]


async def test_a_chain_goes_up_nearest_first(database: Database) -> None:
    """The referrer's referrer would be paid the referrer's share, or nobody anything."""
    top, middle, low, stranger = people(4)
    async with database.transaction() as tx:
        await add_links(
            tx,
            [
                a_link(merchant_id=SHOP, referrer=top, referee=middle),
                a_link(merchant_id=SHOP, referrer=middle, referee=low),
                a_link(merchant_id=MerchantId(uuid4()), referrer=low, referee=top),
            ],
        )
        asked = [(person, STARTED) for person in (low, middle, top, stranger, low)]

        for depth_max in (1, 2, 5):
            chains = await repository.chains_as_of(tx, SHOP, asked, depth_max)
            whole = [[middle, top], [top], [], [], [middle, top]]
            assert chains == [chain[:depth_max] for chain in whole]
        assert await repository.chains_as_of(tx, SHOP, [], 5) == []


async def test_a_link_counts_from_its_start_up_to_its_end(database: Database) -> None:
    """An order at the minute of a change would credit both referrers, or neither."""
    first, second, buyer = people(3)
    change = STARTED + DAY
    async with database.transaction() as tx:
        await add_links(
            tx,
            [
                a_link(merchant_id=SHOP, referrer=first, referee=buyer, end_time=change),
                a_link(merchant_id=SHOP, referrer=second, referee=buyer, start_time=change),
            ],
        )
        times = [STARTED - INSTANT, STARTED, change - INSTANT, change, change + 1000 * DAY]

        # The same person at several times, in one batch.
        chains = await repository.chains_as_of(tx, SHOP, [(buyer, time) for time in times], 5)

    assert chains == [[], [first], [first], [second], [second]]


async def test_a_link_that_was_replaced_at_once_never_counted(database: Database) -> None:
    """Two links of one instant would both be credited for it."""
    first, second, buyer = people(3)
    async with database.transaction() as tx:
        await add_links(
            tx,
            [
                a_link(merchant_id=SHOP, referrer=first, referee=buyer, end_time=STARTED),
                a_link(merchant_id=SHOP, referrer=second, referee=buyer),
            ],
        )
        [chain] = await repository.chains_as_of(tx, SHOP, [(buyer, STARTED)], 5)

    assert chain == [second]


@pytest.mark.parametrize("length", [2, 3])
async def test_a_closed_chain_is_walked_once(database: Database, length: int) -> None:
    """People in a circle would be paid again and again, the buyer as their own referrer too."""
    circle = people(length)
    outside = IdentityGroupId(uuid4())
    async with database.transaction() as tx:
        await add_links(
            tx,
            [
                a_link(merchant_id=SHOP, referrer=above, referee=below)
                for below, above in zip(circle, circle[1:] + circle[:1], strict=True)
            ]
            + [a_link(merchant_id=SHOP, referrer=circle[0], referee=outside)],
        )
        chains = await repository.chains_as_of(
            tx, SHOP, [(circle[0], STARTED), (outside, STARTED)], 100
        )

    assert chains == [circle[1:], circle]


@pytest.mark.parametrize("seed", range(5))
async def test_the_statement_and_the_rule_agree_on_any_history(
    database: Database, seed: int
) -> None:
    """Some tangle of old links would credit somebody whom no time line puts above the buyer."""
    random = Random(seed)
    group = people(7)
    times = [STARTED + day * DAY for day in range(8)]
    links = []
    for referee in group:
        starts = sorted(random.choices(times, k=random.randrange(4)))
        for number, start in enumerate(starts):
            is_last = number == len(starts) - 1
            end = None if is_last and random.random() < 0.7 else start + random.randrange(6) * DAY
            referrer = random.choice([each for each in group if each != referee])
            links.append(
                a_link(
                    merchant_id=SHOP,
                    referrer=referrer,
                    referee=referee,
                    start_time=start,
                    end_time=end,
                )
            )
    asked = list(product(group, times))
    random.shuffle(asked)
    async with database.transaction() as tx:
        await add_links(tx, links)

        for depth_max in (1, 3, 100):
            assert await repository.chains_as_of(tx, SHOP, asked, depth_max) == [
                the_rule(links, person, time, depth_max) for person, time in asked
            ]


async def test_links_come_newest_first_ended_ones_too(database: Database) -> None:
    """A page would skip links, repeat them, or show another shop's or referrer's."""
    referrer, other = people(2)
    links = [
        a_link(
            merchant_id=SHOP,
            referrer=referrer,
            referee=IdentityGroupId(uuid4()),
            referral_link_id=UUID(int=number),
            end_time=end_time,
        )
        for number, end_time in [(9, None), (7, STARTED + DAY), (2, None)]
    ]
    others = [
        a_link(merchant_id=SHOP, referrer=other, referee=referrer, referral_link_id=UUID(int=8)),
        a_link(
            merchant_id=MerchantId(uuid4()),
            referrer=referrer,
            referee=other,
            referral_link_id=UUID(int=6),
        ),
    ]
    async with database.transaction() as tx:
        await add_links(tx, [*reversed(links), *others])

        for start, limit in product(range(len(links)), (1, 9)):
            page = await repository.list_of_referrer(
                tx,
                SHOP,
                referrer,
                before=links[start - 1].referral_link_id if start else None,
                limit=limit,
            )
            assert page == links[start : start + limit]


async def test_the_table_refuses_two_referrers_and_oneself(database: Database) -> None:
    """A statement with a mistake could credit two people, or the buyer."""
    first, second, buyer = people(3)
    async with database.transaction() as tx:
        await add_links(tx, [a_link(merchant_id=SHOP, referrer=first, referee=buyer)])
    for link, constraint in (
        (a_link(merchant_id=SHOP, referrer=second, referee=buyer), "uq_referral_link_active"),
        (a_link(merchant_id=SHOP, referrer=first, referee=first), "nobody_refers_themselves"),
    ):
        with pytest.raises(IntegrityError, match=constraint):
            async with database.transaction() as tx:
                await add_links(tx, [link])

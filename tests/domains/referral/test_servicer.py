"""ReferralService as its callers see it."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import pairwise
from uuid import UUID, uuid4

import pytest

from domains.referral.model import DEPTH_DEFAULT
from domains.referral.repository import ReferralRepository
from domains.referral.service import ReferralService
from domains.referral.servicer import ReferralServicer
from guerdon.referral.v1 import referral_pb2
from infrastructure.database.transaction import Database
from infrastructure.rpc.translating import to_timestamp
from tests.support.merchants import EveryMerchant
from tests.support.referral import STARTED, a_link, add_links
from vocabulary.ids import IdentityGroupId, MerchantId
from vocabulary.refusals import PageTokenInvalidError

DAY = timedelta(days=1)


def a_servicer(database: Database, *, now: datetime = STARTED) -> ReferralServicer:
    return ReferralServicer(
        database=database,
        referral=ReferralService(referrals=ReferralRepository(), merchants=EveryMerchant()),
        clock=lambda: now,
    )


async def test_a_chain_is_read_now_or_as_of_a_time(database: Database) -> None:
    """Whoever asks about last month would be told about today, or the other way round."""
    merchant_id = MerchantId(uuid4())
    first, second, buyer = (IdentityGroupId(uuid4()) for _ in range(3))
    async with database.transaction() as tx:
        await add_links(
            tx,
            [
                a_link(
                    merchant_id=merchant_id, referrer=first, referee=buyer, end_time=STARTED + DAY
                ),
                a_link(
                    merchant_id=merchant_id,
                    referrer=second,
                    referee=buyer,
                    start_time=STARTED + DAY,
                ),
            ],
        )
    servicer = a_servicer(database, now=STARTED + 2 * DAY)
    request = referral_pb2.GetReferralChainRequest(
        merchant_id=str(merchant_id), identity_group_id=str(buyer)
    )

    now = await servicer.GetReferralChain(request, None)
    request.read_time.FromDatetime(STARTED)
    then = await servicer.GetReferralChain(request, None)

    assert list(now.identity_group_ids) == [str(second)]
    assert list(then.identity_group_ids) == [str(first)]


@pytest.mark.parametrize(("depth_max", "depth"), [(0, DEPTH_DEFAULT), (1, 1), (6, 6), (100, 7)])
async def test_a_chain_is_as_long_as_was_asked(
    database: Database, depth_max: int, depth: int
) -> None:
    """A caller who names no depth would get nobody, or everybody."""
    merchant_id = MerchantId(uuid4())
    line = [IdentityGroupId(uuid4()) for _ in range(8)]
    async with database.transaction() as tx:
        await add_links(
            tx,
            [
                a_link(merchant_id=merchant_id, referrer=above, referee=below)
                for below, above in pairwise(line)
            ],
        )

    response = await a_servicer(database).GetReferralChain(
        referral_pb2.GetReferralChainRequest(
            merchant_id=str(merchant_id), identity_group_id=str(line[0]), depth_max=depth_max
        ),
        None,
    )

    assert list(response.identity_group_ids) == [str(each) for each in line[1 : depth + 1]]


async def test_pages_of_links_follow_each_other_with_every_field(database: Database) -> None:
    """Whoever pages would miss a link, see one twice, or take an ended one for active."""
    merchant_id, referrer = MerchantId(uuid4()), IdentityGroupId(uuid4())
    links = [
        a_link(
            merchant_id=merchant_id,
            referrer=referrer,
            referee=IdentityGroupId(uuid4()),
            referral_link_id=UUID(int=number),
            end_time=end_time,
        )
        for number, end_time in [(3, None), (2, STARTED + DAY), (1, None)]
    ]
    async with database.transaction() as tx:
        await add_links(tx, links)
    servicer = a_servicer(database)
    request = referral_pb2.ListReferralLinksRequest(
        merchant_id=str(merchant_id), referrer_identity_group_id=str(referrer), page_size=2
    )

    first = await servicer.ListReferralLinks(request, None)
    request.page_token = first.next_page_token
    last = await servicer.ListReferralLinks(request, None)

    assert [*first.referral_links, *last.referral_links] == [
        referral_pb2.ReferralLink(
            referral_link_id=str(link.referral_link_id),
            merchant_id=str(merchant_id),
            referrer_identity_group_id=str(referrer),
            referee_identity_group_id=str(link.referee_group_id),
            start_time=to_timestamp(STARTED),
            end_time=to_timestamp(link.end_time),
        )
        for link in links
    ]
    assert len(first.referral_links) == 2
    assert last.next_page_token == ""


async def test_a_token_of_somebody_else_s_making_is_refused(database: Database) -> None:
    """A garbled token would fail as if we had a bug."""
    request = referral_pb2.ListReferralLinksRequest(
        merchant_id=str(uuid4()), referrer_identity_group_id=str(uuid4()), page_token="W10"
    )
    with pytest.raises(PageTokenInvalidError) as refused:
        await a_servicer(database).ListReferralLinks(request, None)

    assert refused.value.field == "page_token"

"""AttributionService as its callers see it."""

from __future__ import annotations

from uuid import UUID, uuid4

import pytest

from domains.attribution.model import Source, Utm
from domains.attribution.repository import TouchpointRepository
from domains.attribution.service import AttributionService
from domains.attribution.servicer import AttributionServicer
from guerdon.attribution.v1 import attribution_pb2
from infrastructure.database.transaction import Database
from infrastructure.rpc.translating import to_timestamp
from tests.support.attribution import ARRIVED, LANDING_URL, a_touchpoint, add_touchpoints
from tests.support.merchants import EveryMerchant
from vocabulary.ids import IdentityGroupId, MerchantId
from vocabulary.refusals import PageTokenInvalidError


def a_servicer(database: Database) -> AttributionServicer:
    return AttributionServicer(
        database=database,
        attribution=AttributionService(
            touchpoints=TouchpointRepository(), merchants=EveryMerchant()
        ),
    )


async def test_every_field_of_an_arrival_is_told(database: Database) -> None:
    """A dashboard would show an advertisement as a friend, or leave the friend out."""
    referrer = IdentityGroupId(uuid4())
    utm = Utm(source="a", medium="b", campaign="c", term="d", content="e")
    merchant_id = MerchantId(uuid4())
    touches = [
        a_touchpoint(
            touchpoint_id=UUID(int=3),
            merchant_id=merchant_id,
            source=Source.REFERRAL_LINK,
            referrer_group_id=referrer,
        ),
        a_touchpoint(
            touchpoint_id=UUID(int=2), merchant_id=merchant_id, source=Source.PAID_AD, utm=utm
        ),
        a_touchpoint(touchpoint_id=UUID(int=1), merchant_id=merchant_id),
    ]
    async with database.transaction() as tx:
        await add_touchpoints(tx, touches)

    response = await a_servicer(database).ListTouchpoints(
        attribution_pb2.ListTouchpointsRequest(merchant_id=str(merchant_id)), None
    )

    sources = attribution_pb2.Touchpoint
    told = [
        (sources.SOURCE_REFERRAL_LINK, str(referrer), None),
        (
            sources.SOURCE_PAID_AD,
            "",
            attribution_pb2.Utm(source="a", medium="b", campaign="c", term="d", content="e"),
        ),
        (sources.SOURCE_DIRECT, "", None),
    ]
    assert list(response.touchpoints) == [
        attribution_pb2.Touchpoint(
            touchpoint_id=str(touch.touchpoint_id),
            merchant_id=str(merchant_id),
            identity_group_id=str(touch.identity_group_id),
            source=source,
            referrer_identity_group_id=referrer_id,
            landing_url=LANDING_URL,
            utm=utm_message,
            arrival_time=to_timestamp(ARRIVED),
        )
        for touch, (source, referrer_id, utm_message) in zip(touches, told, strict=True)
    ]
    assert response.next_page_token == ""


async def test_pages_of_arrivals_follow_each_other(database: Database) -> None:
    """Whoever pages would miss an arrival, see one twice, or never reach the end."""
    merchant_id, person = MerchantId(uuid4()), IdentityGroupId(uuid4())
    touches = [
        a_touchpoint(
            touchpoint_id=UUID(int=number), merchant_id=merchant_id, identity_group_id=person
        )
        for number in (3, 2, 1)
    ]
    async with database.transaction() as tx:
        await add_touchpoints(tx, [*touches, a_touchpoint(merchant_id=merchant_id)])
    servicer = a_servicer(database)
    request = attribution_pb2.ListTouchpointsRequest(
        merchant_id=str(merchant_id), identity_group_id=str(person), page_size=2
    )

    first = await servicer.ListTouchpoints(request, None)
    request.page_token = first.next_page_token
    last = await servicer.ListTouchpoints(request, None)

    seen = [[each.touchpoint_id for each in page.touchpoints] for page in (first, last)]
    assert seen == [[str(UUID(int=3)), str(UUID(int=2))], [str(UUID(int=1))]]
    assert last.next_page_token == ""


async def test_a_token_of_somebody_else_s_making_is_refused(database: Database) -> None:
    """A garbled token would fail as if we had a bug."""
    request = attribution_pb2.ListTouchpointsRequest(merchant_id=str(uuid4()), page_token="W10")
    with pytest.raises(PageTokenInvalidError) as refused:
        await a_servicer(database).ListTouchpoints(request, None)

    assert refused.value.field == "page_token"

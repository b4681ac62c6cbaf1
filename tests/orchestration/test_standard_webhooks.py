"""Deliveries that are signed by Standard Webhooks, and keys that are changed over."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import UUID

import pytest
from cryptography.fernet import Fernet
from sqlalchemy.ext.asyncio import AsyncEngine

from domains.business.errors import SigningKeyInvalidError
from domains.business.model import Platform, Webhook
from domains.business.repository import MerchantRepository
from domains.business.service import BusinessService
from infrastructure.database.transaction import Database
from infrastructure.keys.secret_box import SecretBox
from orchestration.purchase_webhook.errors import SignatureInvalidError
from tests.support.books import amounts_of, count_of, deliveries_of, order_of, read
from tests.support.connections import at_once, holding
from tests.support.rules import a_campaign
from tests.support.shop import SIGNING_KEY, Shop, a_shop, sign, sign_standard
from vocabulary.ids import MerchantId
from vocabulary.refusals import MerchantNotFoundError
from vocabulary.signing_keys import standard_key

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)
NEW_KEY = standard_key(bytes(range(32)))
NEWEST_KEY = standard_key(bytes(range(32, 64)))
_LOCK_MERCHANT = "SELECT FROM merchant WHERE merchant_id = :merchant_id FOR NO KEY UPDATE"


def untimed(shop: Shop, status: str = "confirmed") -> bytes:
    """What a shop says that names no times: it counts as of when it is received."""
    said: dict[str, Any] = {"createdAt": None, "updatedAt": None, "clientId": "buyer"}
    return shop.order_body("A-1", status, **said)


async def set_key(shop: Shop, key: str, **said: Any) -> Webhook:
    async with shop.database.transaction() as tx:
        return await shop.flows.business.set_webhook(
            tx,
            shop.merchant_id,
            platform=Platform.CUSTOM,
            signing_key=key,
            now=shop.flows.clock.now,
            **said,
        )


async def accepts(shop: Shop, *keys: str) -> list[bool]:
    """Which of these keys a shop can sign with now, in either way."""
    found = []
    for key in keys:
        body = shop.order_body("A-1", totalPrice=str(await count_of(shop, "delivery") + 1))
        verified = set()
        for headers in (
            {"x-hmac-sha256": [sign(body, key)]},
            sign_standard(body, event_id="msg", sent=shop.flows.clock.now, keys=[key]),
        ):
            try:
                await shop.send(body, headers)
                verified.add(True)
            except SignatureInvalidError:
                verified.add(False)
        (is_accepted,) = verified
        found.append(is_accepted)
    return found


async def test_a_delivery_is_taken_and_shown_with_its_id(database: Database) -> None:
    """A shop that signs as everybody does would have to write code of its own."""
    shop = await a_shop(database, a_campaign())
    assert await shop.deliver_standard(untimed(shop), event_id="msg_1") == "ok"
    await shop.work()

    (kept,) = await deliveries_of(shop)
    assert (kept.event_reference, kept.state) == ("msg_1", "applied")
    assert await amounts_of(shop) == [("purchase:A-1", 1_000_000)]
    (headers,) = await read(database, "SELECT headers FROM delivery")
    assert set(headers.headers) == {"webhook-id", "webhook-timestamp", "x-test"}


async def test_a_try_that_is_signed_anew_is_the_same_delivery(database: Database) -> None:
    """A shop that did not hear our answer would be paid for twice."""
    shop = await a_shop(database, a_campaign())
    await shop.deliver_standard(untimed(shop))
    await shop.work()
    shop.flows.clock.advance(MINUTE)
    await shop.deliver_standard(untimed(shop, "refunded"), event_id="msg_2")
    await shop.work()
    for _ in range(3):
        shop.flows.clock.advance(DAY)
        assert await shop.deliver_standard(untimed(shop)) == "ok"
    await shop.work()

    assert (await order_of(shop, "A-1")).state == "refunded"
    assert await amounts_of(shop) == [("purchase:A-1", 0)]
    assert await count_of(shop, "delivery") == 2


async def test_a_captured_message_is_of_no_use(database: Database) -> None:
    """Whoever reads one on its way could send it later, or under another id."""
    shop = await a_shop(database, a_campaign())
    body = untimed(shop)
    captured = sign_standard(body, event_id="msg_1", sent=shop.flows.clock.now)
    await shop.send(body, captured)
    for _ in range(100):
        shop.flows.clock.advance(2 * SECOND)
        assert await shop.send(body, {**captured, "x-webhook-id": ["new"]}) == "ok"
    for changed in (
        {**captured, "webhook-id": ["msg_2"]},
        {**captured, "webhook-timestamp": [str(int(shop.flows.clock.now.timestamp()))]},
        {**captured, "x-hmac-sha256": [sign(body)]},
    ):
        with pytest.raises(SignatureInvalidError):
            await shop.send(body, changed)
    shop.flows.clock.advance(5 * MINUTE)
    with pytest.raises(SignatureInvalidError, match="more than 5 minutes before"):
        await shop.send(body, captured)

    assert await count_of(shop, "delivery") == 1


async def test_a_message_in_both_ways_is_refused_and_leaves_nothing(database: Database) -> None:
    """Whoever takes one of the signatures away each time would make two deliveries of it."""
    shop = await a_shop(database)
    body = untimed(shop)
    headers = sign_standard(body, event_id="msg_1", sent=shop.flows.clock.now)
    with pytest.raises(SignatureInvalidError, match="are both there: sign in one way"):
        await shop.send(body, {**headers, "x-hmac-sha256": [sign(body)]})

    assert await count_of(shop, "delivery") == await count_of(shop, "shop_order") == 0


@pytest.mark.parametrize("ahead", [timedelta(), timedelta(hours=2)])
async def test_the_same_body_under_a_new_signed_id_is_no_newer_report(
    database: Database, ahead: timedelta
) -> None:
    """A developer who sends a report again would bring a refunded order back to life."""
    shop = await a_shop(database, a_campaign())
    body = shop.order_body("A-1", updated=shop.flows.clock.now + ahead, clientId="buyer")
    await shop.deliver_standard(body)
    shop.flows.clock.advance(MINUTE)
    await shop.report("A-1", "refunded", updated=shop.flows.clock.now + ahead)
    shop.flows.clock.advance(MINUTE)

    assert (await shop.deliver_standard(body, event_id="msg_2")).startswith("ko: ")
    assert (await order_of(shop, "A-1")).state == "refunded"


async def test_the_same_message_at_once_has_one_effect(real_database: Database) -> None:
    """A shop whose tries overlap would be paid for twice."""
    shop = await a_shop(real_database, a_campaign())
    body = untimed(shop)
    sent = [shop.flows.clock.now + number * SECOND for number in range(8)]
    answers = await at_once(*[partial(shop.deliver_standard, body, sent=time) for time in sent])
    await shop.work()

    assert answers == ["ok"] * 8
    assert await count_of(shop, "delivery") == 1
    assert await amounts_of(shop) == [("purchase:A-1", 1_000_000)]


async def test_the_key_before_verifies_for_a_day(database: Database) -> None:
    """What a shop sends while it changes its key over would be refused."""
    shop = await a_shop(database)
    assert await accepts(shop, SIGNING_KEY, NEW_KEY) == [True, False]
    webhook = await set_key(shop, NEW_KEY)
    assert webhook.previous_key is not None
    assert webhook.previous_key.key_suffix == SIGNING_KEY[-4:]
    assert webhook.previous_key.end_time == shop.flows.clock.now + DAY

    assert await accepts(shop, SIGNING_KEY, NEW_KEY, NEWEST_KEY) == [True, True, False]
    shop.flows.clock.advance(DAY - SECOND)
    assert await accepts(shop, SIGNING_KEY, NEW_KEY) == [True, True]
    shop.flows.clock.advance(SECOND)
    assert await accepts(shop, SIGNING_KEY, NEW_KEY) == [False, True]
    assert webhook.previous_key_at(shop.flows.clock.now) is None


async def test_a_message_with_a_signature_of_each_key_is_taken(database: Database) -> None:
    """A shop that signs with both keys meanwhile would be refused by one of them."""
    shop = await a_shop(database)
    for number, keys in enumerate(([NEW_KEY, SIGNING_KEY], [SIGNING_KEY, NEW_KEY])):
        body = shop.order_body(f"A-{number}")
        assert await shop.deliver_standard(body, event_id=f"msg_{number}", keys=keys) == "ok"


async def test_setting_what_is_set_changes_nothing(database: Database) -> None:
    """A deployment that sets its keys each day would keep an old one valid for ever."""
    shop = await a_shop(database)
    first = await set_key(shop, NEW_KEY)
    shop.flows.clock.advance(timedelta(hours=1))
    assert await set_key(shop, NEW_KEY) == first
    assert await set_key(shop, NEW_KEY, previous_key_kept=30 * DAY) == first

    # It can be ended earlier, also at once: when it was stolen.
    ended = await set_key(shop, NEW_KEY, previous_key_kept=timedelta())
    assert ended.update_time == first.update_time
    assert ended.previous_key_at(shop.flows.clock.now) is None
    assert await accepts(shop, SIGNING_KEY, NEW_KEY) == [False, True]
    assert await set_key(shop, NEW_KEY) == ended


async def test_two_keys_are_valid_at_the_most(database: Database) -> None:
    """A key that was stolen long ago would come back with the next change."""
    shop = await a_shop(database)
    await set_key(shop, NEW_KEY)
    await set_key(shop, NEWEST_KEY)
    assert await accepts(shop, SIGNING_KEY, NEW_KEY, NEWEST_KEY) == [False, True, True]
    await set_key(shop, NEW_KEY, previous_key_kept=MINUTE)
    assert await accepts(shop, SIGNING_KEY, NEW_KEY, NEWEST_KEY) == [False, True, True]
    shop.flows.clock.advance(MINUTE)
    assert await accepts(shop, SIGNING_KEY, NEW_KEY, NEWEST_KEY) == [False, True, False]


async def test_a_key_that_can_be_read_no_more_is_replaced(database: Database) -> None:
    """Whoever lost the key that secrets are sealed with could not set another one."""
    shop = await a_shop(database)
    stranger = BusinessService(
        merchants=MerchantRepository(), seal=SecretBox([Fernet.generate_key().decode()])
    )
    async with database.transaction() as tx:
        webhook = await stranger.set_webhook(
            tx,
            shop.merchant_id,
            platform=Platform.CUSTOM,
            signing_key=SIGNING_KEY,
            now=shop.flows.clock.now,
        )
    assert webhook.previous_key is None


async def test_keys_are_sealed_and_the_end_is_shown_alone(database: Database) -> None:
    """A copy of the database would sign as any shop."""
    shop = await a_shop(database)
    await set_key(shop, NEW_KEY)
    (kept,) = await read(database, "SELECT * FROM merchant_webhook")
    for value in kept:
        assert SIGNING_KEY[-5:].encode() not in str(value).encode()
        assert NEW_KEY[-5:].encode() not in str(value).encode()
    assert (kept.key_suffix, kept.previous_key_suffix) == (NEW_KEY[-4:], SIGNING_KEY[-4:])


async def test_a_key_that_is_not_what_it_says_is_refused(database: Database) -> None:
    """A key that was cut off would be set, and every delivery refused."""
    shop = await a_shop(database)
    with pytest.raises(SigningKeyInvalidError) as refused:
        await set_key(shop, NEW_KEY[:-6])
    assert refused.value.metadata == {"fault": "is no Base64 behind whsec_, or lacks its padding"}
    assert NEW_KEY[:-6] not in str(refused.value)
    assert await accepts(shop, SIGNING_KEY) == [True]


async def test_nobody_has_a_key_without_a_merchant(database: Database) -> None:
    """A key would be set for whoever takes the id later."""
    shop = await a_shop(database)
    async with database.transaction() as tx:
        with pytest.raises(MerchantNotFoundError):
            await shop.flows.business.set_webhook(
                tx,
                MerchantId(UUID(int=7)),
                platform=Platform.CUSTOM,
                signing_key=NEW_KEY,
                now=shop.flows.clock.now,
            )


async def test_one_key_set_twice_at_once_is_one_change(
    engine: AsyncEngine, real_database: Database
) -> None:
    """The second would take the new key for the one before, and the old one would be gone."""
    shop = await a_shop(real_database)
    async with (
        asyncio.TaskGroup() as group,
        holding(engine, _LOCK_MERCHANT, merchant_id=shop.merchant_id) as holder,
    ):
        twins = [group.create_task(set_key(shop, NEW_KEY)) for _ in range(2)]
        await holder.until_awaited(by=2)

    assert twins[0].result() == twins[1].result()
    assert await accepts(shop, SIGNING_KEY, NEW_KEY) == [True, True]


async def test_deliveries_beside_a_change_of_the_key_are_taken(
    engine: AsyncEngine, real_database: Database
) -> None:
    """Of both keys, and however it falls: nothing that a shop sends waits or is refused."""
    shop = await a_shop(real_database)
    async with holding(engine, _LOCK_MERCHANT, merchant_id=shop.merchant_id):
        assert await shop.report("A-0") == "ok"

    async def deliver(number: int) -> str:
        body = shop.order_body(f"A-{number}")
        key = SIGNING_KEY if number % 2 else NEW_KEY
        return await shop.deliver_standard(body, event_id=f"msg_{number}", keys=[SIGNING_KEY, key])

    changing = partial(set_key, shop, NEW_KEY)
    deeds: list[Any] = [*(partial(deliver, number) for number in range(1, 9)), changing]
    answers = await at_once(*deeds)
    assert answers[:-1] == ["ok"] * 8
    assert await shop.deliver_standard(shop.order_body("A-9"), keys=[NEW_KEY]) == "ok"

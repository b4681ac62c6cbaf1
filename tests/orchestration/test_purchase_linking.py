"""Orders and the browsers that claim them, whichever comes first."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest

from domains.purchases.model import Link
from infrastructure.database.transaction import Database
from orchestration.purchase_linking.flow import Claim
from orchestration.purchase_linking.statements import Claimed
from tests.support.books import (
    amounts_of,
    assert_books_balance,
    count_of,
    events_of,
    order_of,
    rewards_of,
    states_of,
)
from tests.support.flows import NOON
from tests.support.rules import Limit, a_campaign, percent
from tests.support.shop import Shop, a_shop, token_of
from vocabulary.ids import MerchantId
from vocabulary.refusals import EventTimeInvalidError, MerchantNotFoundError

REWARD = 1_000_000
INVENTED = 60


async def a_rewarding_shop(database: Database) -> Shop:
    """Pays every buyer one euro."""
    return await a_shop(database, a_campaign(limits=(Limit(amount="1000"),)))


async def linked(shop: Shop, order: str) -> tuple[object, Link | None]:
    row = await order_of(shop, order)
    return row.identity_group_id, row.link and Link(row.link)


async def test_a_claim_finds_the_order_that_was_reported(database: Database) -> None:
    """Buyers whose shop is quicker than their browser would go unrewarded."""
    shop = await a_rewarding_shop(database)
    await shop.report("A-1", customerId="c-1")
    assert await linked(shop, "A-1") == (None, None)
    await shop.work()
    assert await amounts_of(shop) == []

    claimed = await shop.claim("buyer", "A-1")
    await shop.work()

    assert claimed.purchase_id == (await order_of(shop, "A-1")).purchase_id
    assert await linked(shop, "A-1") == (claimed.identity_group_id, Link.CLAIM)
    assert [each.person for each in await rewards_of(shop)] == [claimed.identity_group_id]


async def test_an_order_finds_the_claim_that_waited(database: Database) -> None:
    """Buyers whose browser is quicker than their shop would go unrewarded."""
    shop = await a_rewarding_shop(database)
    claimed = await shop.claim("buyer", "A-1")
    assert (claimed.purchase_id, claimed.reward_count) == (None, 0)

    await shop.report("A-1", customerId="c-1")
    await shop.work()

    assert await linked(shop, "A-1") == (claimed.identity_group_id, Link.CLAIM)
    assert [each.person for each in await rewards_of(shop)] == [claimed.identity_group_id]


@pytest.mark.parametrize("claims_first", [True, False])
async def test_a_returning_customer_is_linked_again(database: Database, claims_first: bool) -> None:
    """Whoever buys a second time would earn nothing."""
    shop = await a_rewarding_shop(database)
    await shop.report("A-1", customerId="c-1")
    buyer = (await shop.claim("buyer", "A-1")).identity_group_id

    if claims_first:
        await shop.claim("buyer", "A-2")
        await shop.report("A-2", customerId="c-1")
    else:
        await shop.report("A-2", customerId="c-1")
        assert (await shop.claim("buyer", "A-2")).purchase_id is not None
    await shop.work()

    assert await linked(shop, "A-2") == (buyer, Link.CLAIM)
    assert await amounts_of(shop) == [("purchase:A-1", REWARD), ("purchase:A-2", REWARD)]


async def test_a_known_customer_needs_no_claim(database: Database) -> None:
    """Customers whose browser is told not to speak to us would lose what they earn."""
    shop = await a_rewarding_shop(database)
    await shop.claim("buyer", "A-1")
    await shop.report("A-1", customerId=77)

    await shop.report("A-2", customerId="77")
    await shop.work()

    buyer = (await order_of(shop, "A-1")).identity_group_id
    assert await linked(shop, "A-2") == (buyer, Link.CUSTOMER)
    assert len(await amounts_of(shop)) == 2


async def test_a_repeated_claim_answers_the_same_and_earns_nothing_more(
    database: Database,
) -> None:
    """Reloading the page of a confirmation would pay again."""
    shop = await a_rewarding_shop(database)
    before = await shop.claim("buyer", "A-1")
    assert await shop.claim("buyer", "A-1") == before
    assert await count_of(shop, "order_claim") == 1
    await shop.report("A-1")
    await shop.work()

    after = [await shop.claim("buyer", "A-1") for _ in range(2)]
    await shop.work()

    assert after[0] == after[1]
    assert (after[0].purchase_id is not None, after[0].reward_count) == (True, 1)
    assert await amounts_of(shop) == [("purchase:A-1", REWARD)]


@pytest.mark.parametrize("reported_first", [True, False])
async def test_a_second_person_with_the_token_is_told_nothing(
    database: Database, reported_first: bool
) -> None:
    """Whoever opens a friend's confirmation would take the reward, or become the friend."""
    shop = await a_rewarding_shop(database)
    if reported_first:
        await shop.report("A-1")
    buyer = await shop.claim("buyer", "A-1")
    second = await shop.claim("second", "A-1")
    unknown = await shop.claim("second", "no such order")
    if not reported_first:
        await shop.report("A-1")
    await shop.work()

    assert second == unknown
    assert second.identity_group_id != buyer.identity_group_id
    assert (await linked(shop, "A-1"))[0] == buyer.identity_group_id
    assert [each.person for each in await rewards_of(shop)] == [buyer.identity_group_id]
    assert await shop.claim("second", "A-1") == unknown


async def test_a_redelivered_order_earns_nothing_more(database: Database) -> None:
    """Shops repeat their messages; each repetition would be paid."""
    shop = await a_rewarding_shop(database)
    await shop.claim("buyer", "A-1")
    answers = []
    for name in ("one", "one", "other", "other"):
        # What nobody reads makes it other bytes that say the same.
        answers.append(await shop.report("A-1", event_id=name, note=name))
        await shop.work()

    # Of equal ones the higher hash wins, and changes nothing that earns.
    assert answers[0] == answers[1] == answers[3] == "ok"
    assert await amounts_of(shop) == [("purchase:A-1", REWARD)]
    assert await count_of(shop, "delivery") == 2


@pytest.mark.parametrize("reported_first", [True, False])
async def test_a_wrong_token_blocks_nobody(database: Database, reported_first: bool) -> None:
    """Whoever guesses a token would get a stranger's reward, or keep the buyer from it."""
    shop = await a_rewarding_shop(database)
    if reported_first:
        await shop.report("A-1", customerId="c-1")
    guess = await shop.claim("guesser", "A-1", token="guess")
    if not reported_first:
        await shop.report("A-1", customerId="c-1")
    await shop.work()

    assert guess == Claimed(
        identity_group_id=guess.identity_group_id, purchase_id=None, reward_count=0
    )
    assert await linked(shop, "A-1") == (None, None)
    assert await amounts_of(shop) == []

    buyer = await shop.claim("buyer", "A-1")
    await shop.work()
    assert await linked(shop, "A-1") == (buyer.identity_group_id, Link.CLAIM)
    assert await amounts_of(shop) == [("purchase:A-1", REWARD)]
    # And the guesser is still told what a guesser is told, as is a buyer who guesses.
    assert await shop.claim("guesser", "A-1", token="guess") == guess
    assert (await shop.claim("buyer", "A-1", token="guess")).purchase_id is None


@pytest.mark.parametrize("reported_first", [True, False])
async def test_two_open_orders_of_one_customer_are_both_linked(
    database: Database, reported_first: bool
) -> None:
    """Of two orders placed together only one would earn."""
    shop = await a_rewarding_shop(database)
    orders = ("A-1", "A-2")
    for step in (True, False):
        for order in orders:
            if step is reported_first:
                await shop.report(order, customerId="c-1")
            else:
                await shop.claim("buyer", order)
    await shop.work()

    assert await amounts_of(shop) == [("purchase:A-1", REWARD), ("purchase:A-2", REWARD)]
    assert len({each.person for each in await rewards_of(shop)}) == 1


@pytest.mark.parametrize("guest", ["0", 0, "", None, "guest", "Undefined", " null "])
async def test_guests_are_strangers_to_each_other(
    database: Database, guest: str | int | None
) -> None:
    """All guests of a shop would be one person, who earns for all of them."""
    shop = await a_rewarding_shop(database)
    await shop.claim("one", "A-1")
    await shop.report("A-1", customerId=guest)
    await shop.report("A-2", customerId=guest)
    assert await linked(shop, "A-2") == (None, None)
    await shop.claim("other", "A-2")

    await shop.work()

    assert len({each.person for each in await rewards_of(shop)}) == 2
    assert await count_of(shop, "identity_node") == 2


@pytest.mark.parametrize("status", ["refunded", "cancelled"])
@pytest.mark.parametrize("claims_first", [True, False])
async def test_an_order_taken_back_before_its_claim_earns_nothing(
    database: Database, status: str, claims_first: bool
) -> None:
    """Returned goods would be rewarded because the browser was slow."""
    shop = await a_rewarding_shop(database)
    if claims_first:
        await shop.claim("buyer", "A-1")
    else:
        await shop.report("A-1")
    shop.flows.clock.advance(timedelta(minutes=1))
    await shop.report("A-1", status, ordered=NOON, updated=shop.flows.clock.now)
    if not claims_first:
        await shop.claim("buyer", "A-1")

    await shop.work()

    assert await states_of(shop) == {}
    assert await amounts_of(shop) == []
    assert (await linked(shop, "A-1"))[1] is Link.CLAIM


@pytest.mark.parametrize("claims_first", [True, False])
async def test_an_unpaid_order_earns_once_it_is_paid(
    database: Database, claims_first: bool
) -> None:
    """Orders that are never paid would earn, or paid ones never."""
    shop = await a_rewarding_shop(database)
    if claims_first:
        await shop.claim("buyer", "A-1")
    await shop.report("A-1", "pending", totalPrice=None, currency=None)
    if not claims_first:
        assert (await shop.claim("buyer", "A-1")).purchase_id is not None
    await shop.work()
    assert await states_of(shop) == {}

    for minutes in (1, 2):
        shop.flows.clock.now = NOON + timedelta(minutes=minutes)
        await shop.report("A-1", ordered=NOON, updated=shop.flows.clock.now)
        await shop.work()

    assert await amounts_of(shop) == [("purchase:A-1", REWARD)]
    assert (await events_of(shop))[0].event_time == NOON


async def test_naming_another_merchant_draws_nothing_from_it(database: Database) -> None:
    """A buyer at one shop could be paid by another, which sold nothing."""
    shop = await a_rewarding_shop(database)
    rich = await a_shop(database, a_campaign(amount=percent("100")))
    await shop.report("A-1", totalPrice="500")

    elsewhere = await rich.claim("buyer", "A-1")
    unknown = await rich.claim("buyer", "no such order")
    here = await shop.claim("buyer", "A-1")
    await shop.work()

    assert elsewhere == unknown
    assert here.purchase_id is not None
    assert await amounts_of(rich) == []
    assert await count_of(rich, "account") == 0
    assert await amounts_of(shop) == [("purchase:A-1", REWARD)]
    await assert_books_balance(database)


@pytest.mark.parametrize("buyer_first", [True, False])
async def test_invented_claims_crowd_nobody_out(database: Database, buyer_first: bool) -> None:
    """Whoever guesses an order's number in advance would keep the buyer from it."""
    shop = await a_rewarding_shop(database)
    if buyer_first:
        await shop.claim("buyer", "A-1")
    for number in range(INVENTED):
        await shop.claim(f"guesser {number % 7}", "A-1", token=f"guess {number}")
    buyer = (await shop.claim("buyer", "A-1")).identity_group_id

    await shop.report("A-1")
    await shop.work()

    assert await linked(shop, "A-1") == (buyer, Link.CLAIM)
    assert await amounts_of(shop) == [("purchase:A-1", REWARD)]


async def test_a_claim_needs_a_merchant_and_a_time_that_has_come(database: Database) -> None:
    """Claims would wait at shops that do not exist, or be from tomorrow."""
    shop = await a_rewarding_shop(database)
    flow = shop.flows.purchase_linking
    nowhere = Claim(
        merchant_id=MerchantId(uuid4()),
        client_id="buyer",
        order_reference="A-1",
        token=token_of("A-1"),
    )
    here = Claim(
        merchant_id=shop.merchant_id,
        client_id="buyer",
        order_reference="A-1",
        token=token_of("A-1"),
    )

    with pytest.raises(MerchantNotFoundError):
        await flow.claim(nowhere, repeat=None)
    with pytest.raises(EventTimeInvalidError):
        await flow.claim_past(here, event_time=NOON + timedelta(seconds=1), repeat=None)
    assert await count_of(shop, "shop_order") == 0

    await shop.report("A-1")
    then = NOON - timedelta(days=1)
    assert (await flow.claim_past(here, event_time=then, repeat=None)).purchase_id is not None
    assert (await order_of(shop, "A-1")).claim_time == then

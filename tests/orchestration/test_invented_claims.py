"""Claims that somebody invents for an order whose id they guess."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from functools import partial
from statistics import median

import pytest
from sqlalchemy import text

from bench.scale.loads import INVENTED_CLAIMS
from infrastructure.database.transaction import Database
from tests.support.books import amounts_of, assert_books_balance, count_of, order_of
from tests.support.rules import a_campaign
from tests.support.shop import Shop, a_shop

INVENTED = 10_000
BY_HAND = 60
"""How many of them are claimed as a browser does it: more than an order ever took."""

ROUNDS = 40
TIMES_MAX = 2


async def invent(shop: Shop, order: str) -> None:
    """Ten thousand browsers claim an order, each with a token that it made up."""
    for number in range(BY_HAND):
        await shop.claim(f"stranger {number}", order, token=f"made up {number}")
    async with shop.database.transaction() as tx:
        await tx.execute(
            text(INVENTED_CLAIMS),
            {
                "merchant_id": shop.merchant_id,
                "order_reference": order,
                "claims": INVENTED - BY_HAND,
            },
        )


@pytest.mark.parametrize("when", ["before all else", "after the report", "after the claim"])
async def test_invented_claims_keep_nobody_from_their_order(
    real_database: Database, when: str
) -> None:
    """Whoever guesses the next order's id would have its buyer refused, and nobody credited."""
    shop = await a_shop(real_database, a_campaign())
    if when == "after the report":
        await shop.report("A-1")
    if when == "after the claim":
        await shop.claim("buyer", "A-1")
    await invent(shop, "A-1")

    if when != "after the report":
        await shop.report("A-1")
    claimed = await shop.claim("buyer", "A-1")
    await shop.work()

    assert await count_of(shop, "order_claim") >= INVENTED
    assert (await order_of(shop, "A-1")).identity_group_id == claimed.identity_group_id
    assert await amounts_of(shop) == [("purchase:A-1", 1_000_000)]
    await assert_books_balance(real_database)


async def test_invented_claims_do_not_make_an_order_costly(real_database: Database) -> None:
    """Whoever guesses an id would slow down the shop that reports it, and its buyer."""
    shop = await a_shop(real_database, a_campaign())
    await shop.claim("buyer", "quiet")
    await shop.claim("buyer", "guessed")
    await invent(shop, "guessed")
    seconds: dict[tuple[str, str], list[float]] = {}

    async def timed(deed: str, order: str, do: Callable[[], Awaitable[object]]) -> None:
        begin = time.perf_counter()
        await do()
        seconds.setdefault((deed, order), []).append(time.perf_counter() - begin)

    # One after the other, so that both meet the same machine.
    for number in range(ROUNDS):
        for order in ("quiet", "guessed"):
            token = f"token {number}"
            await timed("report", order, partial(shop.report, order, token=token))
            await timed("claim", order, partial(shop.claim, "buyer", order, token=token))

    for deed in ("report", "claim"):
        quiet, guessed = (median(seconds[deed, order]) for order in ("quiet", "guessed"))
        told = f"a {deed} takes {guessed * 1000:.1f} ms instead of {quiet * 1000:.1f}"
        assert guessed < TIMES_MAX * quiet, told

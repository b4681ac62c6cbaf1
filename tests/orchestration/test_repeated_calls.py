"""Arrivals and claims that carry a request id: made twice, they happen once."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from functools import partial
from uuid import UUID, uuid4

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from infrastructure.database.repeated_call import (
    AlreadyAnsweredError,
    Repeat,
    RequestIdReusedError,
    answer_once,
)
from infrastructure.database.transaction import Database, Transaction
from tests.support.books import assert_books_balance, count_of, events_of, read
from tests.support.connections import at_once, holding
from tests.support.rules import a_campaign
from tests.support.shop import Shop, a_shop
from vocabulary.errors import DomainError
from vocabulary.ids import MerchantId

ROUNDS = 10

Call = Callable[[Shop, Repeat[object]], Awaitable[object]]


def a_repeat(request_id: UUID, *, asked: str = "this", principal: str = "buyer") -> Repeat[object]:
    return Repeat(
        principal=principal,
        method="/some/Method",
        request_id=request_id,
        digest=hashlib.sha256(asked.encode()).digest(),
        to_bytes=lambda result: repr(result).encode(),
    )


async def answer(call: Call, shop: Shop, repeat: Repeat[object]) -> bytes:
    """What a caller is answered, now or because it was answered before."""
    try:
        return repeat.to_bytes(await call(shop, repeat))
    except AlreadyAnsweredError as before:
        return before.answer


async def arrive(shop: Shop, repeat: Repeat[object]) -> object:
    return await shop.arrive("buyer", referrer="friend", repeat=repeat)


async def claim(shop: Shop, repeat: Repeat[object]) -> object:
    return await shop.claim("buyer", "A-1", repeat=repeat)


async def effects(shop: Shop) -> dict[str, int]:
    """How many rows of each kind the shop has."""
    tables = ("touchpoint", "referral_link", "interaction", "shop_order", "identity_node")
    return {table: await count_of(shop, table) for table in tables}


async def a_visited_shop(database: Database) -> Shop:
    shop = await a_shop(database, a_campaign())
    await shop.arrive("friend")
    return shop


@pytest.mark.parametrize("call", [arrive, claim])
async def test_the_same_request_gets_the_same_answer(database: Database, call: Call) -> None:
    """A browser that lost our answer would arrive, or claim, once more."""
    shop = await a_visited_shop(database)
    repeat = a_repeat(uuid4())
    first = await answer(call, shop, repeat)
    before = await effects(shop)
    # What would be answered differently now.
    await shop.report("A-1")

    again = await answer(call, shop, repeat)

    assert again == first
    assert (await effects(shop)) == before | {
        "interaction": before["interaction"] + (1 if call is claim else 0),
        "shop_order": 1,
    }


@pytest.mark.parametrize("call", [arrive, claim])
async def test_another_request_under_the_same_id_is_refused(database: Database, call: Call) -> None:
    """A caller that makes its ids badly would get the answer to something else."""
    shop = await a_visited_shop(database)
    request_id = uuid4()
    await call(shop, a_repeat(request_id))
    before = await effects(shop)

    with pytest.raises(RequestIdReusedError):
        await call(shop, a_repeat(request_id, asked="something else"))

    assert await effects(shop) == before
    # Somebody else's id is somebody else's.
    await call(shop, a_repeat(request_id, asked="something else", principal="other"))


@pytest.mark.parametrize("call", [arrive, claim])
async def test_a_request_that_failed_may_come_again(database: Database, call: Call) -> None:
    """A refusal would be remembered, and the corrected call be answered with it."""
    shop = await a_visited_shop(database)
    unknown = replace(shop.merchant, merchant_id=MerchantId(uuid4()))
    nowhere = replace(shop, merchant=unknown)
    repeat = a_repeat(uuid4())
    for _ in range(2):
        with pytest.raises(DomainError, match="There is no merchant"):
            await call(nowhere, repeat)

    assert await read(database, "SELECT 1 FROM repeated_call") == []
    await call(shop, repeat)


@pytest.mark.parametrize("call", [arrive, claim])
async def test_two_at_once_have_one_effect(real_database: Database, call: Call) -> None:
    """A browser that sends twice because we are slow would count twice."""
    shop = await a_visited_shop(real_database)
    for _ in range(ROUNDS):
        shop.flows.clock.advance(timedelta(minutes=1))
        before = await effects(shop)
        repeat = a_repeat(uuid4())
        answers = await at_once(*[partial(answer, call, shop, repeat)] * 4)

        assert len(set(answers)) == 1
        after = await effects(shop)
        assert after["touchpoint"] - before["touchpoint"] == (1 if call is arrive else 0)

    assert (await effects(shop))["referral_link"] == (1 if call is arrive else 0)
    assert len(await events_of(shop)) == (1 if call is arrive else 0)
    await assert_books_balance(real_database)


async def test_the_second_waits_for_the_first_one_s_end(
    engine: AsyncEngine, real_database: Database
) -> None:
    """If the first call fails after all, the second would be answered with nothing."""
    shop = await a_visited_shop(real_database)
    repeat = a_repeat(uuid4())
    make = """
        INSERT INTO repeated_call (principal, method, request_id, digest)
        VALUES (:principal, :method, :request_id, :digest)
    """
    async with (
        asyncio.TaskGroup() as group,
        holding(engine, make, **repeat.key, digest=repeat.digest) as holder,
    ):
        waiting = group.create_task(answer(arrive, shop, repeat))
        await holder.until_awaited()
        assert (await effects(shop))["referral_link"] == 0

    assert waiting.result() == await answer(arrive, shop, repeat)
    assert (await effects(shop))["referral_link"] == 1


async def test_work_that_results_in_nothing_does_not_compile(database: Database) -> None:
    """A call that comes again would be answered with nothing.

    That is mypy's to find: without its comment the line is refused by `make check`, and so is the
    comment where the line is right.
    """
    repeat: Repeat[bytes] = Repeat(
        principal="buyer",
        method="/some/Method",
        request_id=uuid4(),
        digest=b"",
        to_bytes=bytes.upper,
    )
    done: list[Transaction] = []

    async def forgetful(tx: Transaction) -> None:
        done.append(tx)

    with pytest.raises(TypeError):
        await answer_once(database, repeat, forgetful)  # type: ignore[arg-type]

    assert len(done) == 1
    assert await read(database, "SELECT 1 FROM repeated_call") == []

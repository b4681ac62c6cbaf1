"""The main job through Envoy, on a real mesh."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import aiohttp
import grpc
import httpx
import pytest

from guerdon.business.v1 import business_pb2_grpc
from localmesh.stack import Stack
from server.commands.ledger import run_check
from tests.end_to_end.shop import DELAY_SECONDS, Post, Shop, a_merchant_request, open_shop

PAIRS = 1_000
PAIRS_AT_ONCE = 100
CONNECTIONS = 32
AFTER_THE_DELAY_SECONDS = DELAY_SECONDS + 3


@pytest.fixture
async def shop(stack: Stack) -> AsyncIterator[Shop]:
    """A shop of the test's own."""
    limits = httpx.Limits(max_connections=CONNECTIONS)
    async with (
        httpx.AsyncClient(base_url=stack.public_url, limits=limits, timeout=30) as public,
        httpx.AsyncClient(
            base_url=stack.mesh_url, headers={"x-service-auth": stack.service_token}, timeout=30
        ) as mesh,
    ):
        yield await open_shop(stack, public, mesh)


async def a_referred_visitor(shop: Shop) -> tuple[str, str, str]:
    """Ann shares a link and Ben follows it: Ben's client id, Ann's person, Ben's person."""
    ann, ben = f"ann-{uuid4()}", f"ben-{uuid4()}"
    shared = await shop.arrive(ann)
    arrival = await shop.arrive(ben, referrerShareId=shared["shareId"])
    assert arrival["referralLinkId"]
    return ben, shared["identityGroupId"], arrival["identityGroupId"]


def amounts(rewards: list[dict[str, Any]]) -> dict[str, str]:
    return {each["identityGroupId"]: each["amount"]["amount"] for each in rewards}


async def test_a_recommended_purchase_is_rewarded(shop: Shop) -> None:
    """Nobody would be paid: arrival, webhook, claim, and rewards to the base unit in time."""
    ben, ann_group, ben_group = await a_referred_visitor(shop)

    assert (await shop.deliver("A-1")).text == "ok"
    claimed = await shop.claim(ben, "A-1")

    assert claimed["purchaseId"]
    assert not claimed["pendingWebhook"]
    rewards = await shop.until_rewarded(2, within_seconds=AFTER_THE_DELAY_SECONDS)
    assert amounts(rewards) == {ann_group: "4.784", ben_group: "1.196"}


async def test_a_claim_that_comes_first_is_rewarded_as_well(shop: Shop) -> None:
    """Whoever reaches the confirmation page before the webhook would earn nothing."""
    ben, ann_group, ben_group = await a_referred_visitor(shop)

    assert (await shop.claim(ben, "A-1"))["pendingWebhook"]
    assert (await shop.deliver("A-1")).text == "ok"

    rewards = await shop.until_rewarded(2, within_seconds=AFTER_THE_DELAY_SECONDS)
    assert amounts(rewards) == {ann_group: "4.784", ben_group: "1.196"}


async def test_ten_deliveries_at_once_make_one_reward_set(shop: Shop) -> None:
    """A shop that repeats its messages would pay for each of them."""
    ben, _, _ = await a_referred_visitor(shop)
    await shop.claim(ben, "A-1")

    answers = await asyncio.gather(*(shop.deliver("A-1") for _ in range(10)))

    assert {answer.status_code for answer in answers} == {200}
    await shop.until_rewarded(2, within_seconds=AFTER_THE_DELAY_SECONDS)
    await shop.deliver("A-1")
    assert len(await shop.rewards()) == 2


async def test_a_refund_takes_the_rewards_back(shop: Shop) -> None:
    """A refunded order would be paid for."""
    ben, _, _ = await a_referred_visitor(shop)
    await shop.deliver("A-1")
    await shop.claim(ben, "A-1")
    await shop.until_rewarded(2, within_seconds=AFTER_THE_DELAY_SECONDS)

    assert (await shop.deliver("A-1", status="refunded")).text == "ok"

    deadline = time.monotonic() + 3
    while {each["state"] for each in await shop.rewards()} != {"STATE_CANCELLED"}:
        assert time.monotonic() < deadline, await shop.rewards()
        await asyncio.sleep(0.05)
    assert {each["amount"]["amount"] for each in await shop.rewards()} == {"0"}


async def test_a_thousand_claims_and_webhooks_at_once_all_link(stack: Stack, shop: Shop) -> None:
    """An order would be lost between a webhook and a claim that miss each other."""
    places = asyncio.Semaphore(PAIRS_AT_ONCE)
    # A client that takes a tenth of the other one's time for a request.
    connector = aiohttp.TCPConnector(limit=CONNECTIONS)
    async with aiohttp.ClientSession(stack.public_url, connector=connector) as browser:

        async def sent(post: Post) -> bytes:
            async with browser.post(post.path, data=post.body, headers=post.headers) as answer:
                found = await answer.read()
                assert answer.status == 200, found
                return found

        async def one(number: int) -> None:
            async with places:
                webhook, claim = await asyncio.gather(
                    sent(shop.a_delivery(f"P-{number}")),
                    sent(shop.a_claim(f"visitor-{number}", f"P-{number}")),
                )
            assert webhook == b"ok"
            assert json.loads(claim)["success"]

        async with asyncio.timeout(60):
            await asyncio.gather(*(one(number) for number in range(PAIRS)))

    path = f"/business/merchant/{shop.merchant_id}/purchases"
    linked, token = 0, ""
    while True:
        page = (await shop.mesh.get(path, params={"pageSize": "500", "pageToken": token})).json()
        linked += sum(1 for each in page["purchases"] if each["identityGroupId"])
        token = page["nextPageToken"]
        if not token:
            break
    assert linked == PAIRS


async def test_a_merchant_is_created_once_even_across_a_restart(stack: Stack) -> None:
    """A caller that lost the answer would create a second merchant, or be told a lie."""
    request = a_merchant_request()
    proof = (("x-service-auth", stack.service_token),)

    async def create() -> bytes:
        async with grpc.aio.insecure_channel(stack.mesh_address) as channel:
            stub = business_pb2_grpc.BusinessServiceStub(channel)
            answer = await stub.CreateMerchant(request, metadata=proof, wait_for_ready=True)
            return answer.SerializeToString()

    first = await create()
    await stack.restart("serve-1")
    await stack.restart("serve-2")

    assert await create() == first
    request.merchant.name = "Another name"
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await create()
    assert refused.value.code() is grpc.StatusCode.ALREADY_EXISTS


async def test_without_a_database_nothing_is_half_done(stack: Stack, shop: Shop) -> None:
    """A delivery would be answered `ok` and lost, or the mesh would need a restart by hand."""
    ben, _, _ = await a_referred_visitor(shop)
    await shop.claim(ben, "A-1")
    killed = stack.processes["postgres"].pid
    others = {name: stack.processes[name].pid for name in ("serve-1", "serve-2", "work")}
    os.kill(killed, signal.SIGKILL)

    answer = await shop.deliver("A-1")
    assert answer.status_code == 503, answer.text
    assert answer.json()["details"][0]["reason"] == "DEPENDENCY_AWAY"

    await stack.until_ready("postgres", other_than=killed)
    deadline = time.monotonic() + 15
    while (answer := await shop.deliver("A-1")).status_code != 200:
        assert time.monotonic() < deadline, answer.text
        await asyncio.sleep(0.1)
    await shop.until_rewarded(2, within_seconds=AFTER_THE_DELAY_SECONDS + 5)
    # Nobody but the database had to be started again.
    assert {name: stack.processes[name].pid for name in others} == others


async def test_the_books_agree_after_all_of_it(stack: Stack, shop: Shop) -> None:
    """Money would have appeared or vanished, here or in one of the tests before."""
    ben, _, _ = await a_referred_visitor(shop)
    await shop.deliver("A-1")
    await shop.claim(ben, "A-1")
    await shop.until_rewarded(2, within_seconds=AFTER_THE_DELAY_SECONDS)

    findings = await run_check(stack.database_url)

    assert [each for each in findings if each.violation_count] == []

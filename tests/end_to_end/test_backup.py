"""A backup by the book, taken while shops sell, is a mesh that goes on."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import asyncpg
import httpx
import pytest
from sqlalchemy.engine import make_url

from server.embedded.postgres import find_binaries
from server.embedded.progress import SilentReporter
from server.embedded.stack import Stack
from tests.end_to_end.shop import Shop, open_shop
from tests.support.files import source_of

DOCUMENT = Path("docs/operating.md")
BUYERS = 8
SECONDS_BEFORE = 2.0


def written(step: str) -> str:
    """The commands that the document gives for a step."""
    [commands] = re.findall(rf"```sh {step}\n(.*?)```", source_of(DOCUMENT), re.DOTALL)
    return str(commands)


async def run(commands: str, folder: Path, **variables: str) -> str:
    """Runs commands as an operator types them; says what they printed."""
    path = os.pathsep.join(
        [str(find_binaries()), str(Path(sys.executable).parent), os.environ.get("PATH", "")]
    )
    done = await asyncio.to_thread(
        subprocess.run,
        ["sh", "-eu", "-c", commands],
        cwd=folder,
        env={"PATH": path, "LC_ALL": "C", **variables},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def for_tools(url: str) -> str:
    """Where a database is, as PostgreSQL's own programs are told."""
    return url.replace("+asyncpg", "")


@asynccontextmanager
async def a_database_beside(url: str) -> AsyncIterator[str]:
    """An empty database of the same server."""
    name = f"restored_{uuid4().hex}"
    connection = await asyncpg.connect(for_tools(url))
    try:
        await connection.execute(f'CREATE DATABASE "{name}"')
        yield make_url(url).set(database=name).render_as_string(hide_password=False)
        await connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
    finally:
        await connection.close()


@asynccontextmanager
async def client(stack: Stack) -> AsyncIterator[tuple[httpx.AsyncClient, httpx.AsyncClient]]:
    """What reaches the public and the mesh listener."""
    async with (
        httpx.AsyncClient(base_url=stack.public_url, timeout=30) as public,
        httpx.AsyncClient(
            base_url=stack.mesh_url, headers={"x-service-auth": stack.service_token}, timeout=30
        ) as mesh,
    ):
        yield public, mesh


async def sell(shop: Shop, sold: list[str]) -> None:
    """Sells to new visitors, one after the other, until it is ended. Notes what was answered."""
    while True:
        order, visitor = f"order-{uuid4()}", f"visitor-{uuid4()}"
        await shop.arrive(visitor)
        assert (await shop.deliver(order)).text == "ok"
        await shop.claim(visitor, order)
        sold.append(order)


async def rewards_of(mesh: httpx.AsyncClient, merchant_id: str) -> Mapping[str, str]:
    answer = await mesh.get(f"/business/merchant/{merchant_id}/rewards?pageSize=500")
    answer.raise_for_status()
    return {each["rewardId"]: each["amount"]["amount"] for each in answer.json()["rewards"]}


@pytest.mark.timeout(300)
async def test_a_backup_under_load_is_restored_beside_and_goes_on(
    stack: Stack, tmp_path: Path
) -> None:
    """It would be found out on the day on which it is needed."""
    async with client(stack) as (public, mesh):
        shop = await open_shop(stack, public, mesh)
        sold: list[str] = []
        sellers = [asyncio.create_task(sell(shop, sold)) for _ in range(BUYERS)]
        await asyncio.sleep(SECONDS_BEFORE)
        before = list(sold)
        await run(written("backup"), tmp_path, DATABASE=for_tools(stack.database_url))
        at_least = len(sold)
        for each in sellers:
            each.cancel()
            with suppress(asyncio.CancelledError):
                await each
    assert len(before) > BUYERS
    assert at_least > len(before), "nothing was sold meanwhile"

    async with a_database_beside(stack.database_url) as restored:
        told = await run(
            written("restore"),
            tmp_path,
            RESTORED=for_tools(restored),
            GUERDON_DATABASE_URL=restored,
        )
        assert "The books agree" in told

        folder = tmp_path / "stack"
        folder.mkdir()
        for name in ("secrets.key", "service.token"):
            shutil.copy(stack.folder / name, folder / name)
        environment = {
            "PATH": os.environ.get("PATH", os.defpath),
            "GUERDON_DATABASE_URL": restored,
            "GUERDON_DRAIN_SECONDS": "0.5",
        }
        async with (
            Stack(
                folder=folder,
                environment=environment,
                reporter=SilentReporter(lambda _: None),
            ) as beside,
            client(beside) as (public, mesh),
        ):
            again = replace(shop, public=public, mesh=mesh)
            # What was sold by then is there: a shop that reports it once more changes nothing.
            known = await mesh.get(
                f"/business/merchant/{shop.merchant_id}/purchases?orderId={before[-1]}"
            )
            assert [each["orderId"] for each in known.json()["purchases"]] == [before[-1]]
            # The webhook's key is known there, and what is sold is rewarded.
            rewarded = await rewards_of(mesh, shop.merchant_id)
            visitor, friend = f"visitor-{uuid4()}", f"friend-{uuid4()}"
            shared = await again.arrive(visitor)
            await again.arrive(friend, referrerShareId=shared["shareId"])
            assert (await again.deliver("after")).text == "ok"
            await again.claim(friend, "after")
            await again.until_rewarded(len(rewarded) + 2, within_seconds=30)
        assert "The books agree" in await run(
            "guerdon ledger check", tmp_path, GUERDON_DATABASE_URL=restored
        )

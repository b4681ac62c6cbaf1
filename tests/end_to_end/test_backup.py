"""A backup by the book, taken while shops sell, is a mesh that goes on."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import asyncpg
import httpx
import pytest
from sqlalchemy.engine import make_url

from localmesh.postgres import ROLE, find_binaries
from localmesh.progress import SilentReporter
from localmesh.stack import Stack
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


async def a_backup_under_load(stack: Stack, shop: Shop, folder: Path) -> list[str]:
    """Takes a backup while the shop sells; returns orders that had been answered before it."""
    sold: list[str] = []
    sellers = [asyncio.create_task(sell(shop, sold)) for _ in range(BUYERS)]
    await asyncio.sleep(SECONDS_BEFORE)
    before = list(sold)
    await run(written("backup"), folder, DATABASE=for_tools(stack.owner_url))
    assert BUYERS < len(before) < len(sold), "nothing was sold meanwhile"
    for each in sellers:
        each.cancel()
        with suppress(asyncio.CancelledError):
            await each
    return before


def a_stack_beside(stack: Stack, folder: Path, *, database_url: str) -> Stack:
    """Another stack with the same secrets, on another database."""
    folder.mkdir()
    for name in ("secrets.key", "service.token"):
        shutil.copy(stack.folder / name, folder / name)
    environment = {
        "PATH": os.environ.get("PATH", os.defpath),
        "GUERDON_DATABASE_URL": database_url,
        "GUERDON_DRAIN_SECONDS": "0.5",
    }
    return Stack(folder=folder, environment=environment, reporter=SilentReporter(lambda _: None))


@pytest.mark.timeout(300)
async def test_a_backup_under_load_is_restored_beside_and_goes_on(
    stack: Stack, tmp_path: Path
) -> None:
    """It would be found out on the day on which it is needed."""
    async with client(stack) as (public, mesh):
        shop = await open_shop(stack, public, mesh)
        sold = await a_backup_under_load(stack, shop, tmp_path)

    async with a_database_beside(stack.owner_url) as restored:
        owner = {"GUERDON_DATABASE_URL": restored, "GUERDON_DATABASE_ROLE": ROLE}
        told = await run(written("restore"), tmp_path, RESTORED=for_tools(restored), **owner)
        assert "The books agree" in told

        as_role = make_url(stack.database_url).set(database=make_url(restored).database)
        beside = a_stack_beside(
            stack, tmp_path / "stack", database_url=as_role.render_as_string(hide_password=False)
        )
        async with beside, client(beside) as (public, mesh):
            again = replace(shop, public=public, mesh=mesh)
            known = await mesh.get(
                f"/business/merchant/{shop.merchant_id}/purchases?orderId={sold[-1]}"
            )
            assert [each["orderId"] for each in known.json()["purchases"]] == [sold[-1]]
            # The webhook's key is known there, and what is sold is rewarded.
            shared = await again.arrive("ann")
            await again.arrive("ben", referrerShareId=shared["shareId"])
            assert (await again.deliver("after")).text == "ok"
            await again.claim("ben", "after")
            await again.until_rewarded(2, within_seconds=30)
        assert "The books agree" in await run("guerdon ledger check", tmp_path, **owner)

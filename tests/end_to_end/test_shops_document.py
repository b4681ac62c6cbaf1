"""What README.md and docs/shops.md tell people to type does what they say."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import httpx
import pytest

from localmesh.stack import Stack
from tests.end_to_end.shop import Shop
from tests.end_to_end.test_commands import TOKEN, guerdon
from tests.support.files import ROOT
from vocabulary.signing_keys import standard_secret

COMMAND_SECONDS_MAX = 30
NODE = shutil.which("node")


def blocks(document: str, language: str) -> list[str]:
    """What stands in a document's blocks of code in one language."""
    text = (ROOT / document).read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


SHELL = blocks("docs/shops.md", "sh")
RUNS = {
    "python": ([sys.executable, "-c", *blocks("docs/shops.md", "python")], "python-1"),
    "curl": (["sh", "-ec", SHELL[0]], "curl-1"),
    "older": (["sh", "-ec", SHELL[1]], "older-1"),
    # Where Node is not, nobody types it.
    **({"node": ([NODE, "-e", *blocks("docs/shops.md", "js")], "node-1")} if NODE else {}),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Typed:
    """A merchant that a command made, and what one needs to act for its shop."""

    stack: Stack
    shop: Shop
    environment: dict[str, str]

    async def run(self, *command: str, cwd: Path | None = None) -> str:
        """What a command says that must end well."""
        process = await asyncio.create_subprocess_exec(
            *command,
            cwd=cwd,
            env={**os.environ, **self.environment},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        async with asyncio.timeout(COMMAND_SECONDS_MAX):
            said, _ = await process.communicate()
        assert process.returncode == 0, said.decode()
        return said.decode()


@pytest.fixture
async def typed(stack: Stack) -> AsyncIterator[Typed]:
    name = uuid4().hex[:12]
    created = await guerdon(
        stack.folder.parent,
        *("merchant", "create", "--name", "My shop", "--domain", f"{name}.example"),
        *("--token", TOKEN, "--currency", "USD", "--reward-delay", "1"),
    )
    document = created.document
    environment = {
        "PUBLIC": stack.public_url.rstrip("/"),
        "MERCHANT": document["merchantId"],
        "KEY": document["webhook"]["signingKey"],
    }
    async with (
        httpx.AsyncClient(base_url=stack.public_url, timeout=30) as public,
        httpx.AsyncClient(
            base_url=stack.mesh_url, headers={"x-service-auth": stack.service_token}, timeout=30
        ) as mesh,
    ):
        shop = Shop(merchant_id=document["merchantId"], public=public, mesh=mesh)
        yield Typed(stack=stack, shop=shop, environment=environment)


@pytest.mark.parametrize("way", RUNS)
async def test_a_shop_signs_as_the_document_says(typed: Typed, way: str) -> None:
    """A developer who copies it would be refused."""
    command, order = RUNS[way]
    assert (await typed.run(*command)).strip() == "ok"

    listed = await typed.shop.mesh.get(f"/business/merchant/{typed.shop.merchant_id}/purchases")
    assert listed.status_code == 200, listed.text
    assert order in listed.text


async def test_a_merchant_s_key_is_one_of_standard_webhooks(typed: Typed) -> None:
    """The document's ways would not work with the key that the command prints."""
    assert len(standard_secret(typed.environment["KEY"])) == 32
    (made,) = [each for each in SHELL if each.startswith("echo")]
    assert len(standard_secret((await typed.run("sh", "-ec", made)).strip())) == 32


async def test_links_are_shared_as_the_document_says(typed: Typed) -> None:
    """Links would carry nothing, or bring nobody."""
    said = await typed.run("sh", "-ec", SHELL[-1])
    link, answer = said.strip().splitlines()
    assert re.fullmatch(r"https://shop\.example/red-shoes\?by=[0-9a-f-]{36}", link)
    assert re.search(r'"referralLinkId":"[0-9a-f-]{36}"', answer)


async def test_the_readme_s_story_is_true(typed: Typed) -> None:
    """Whoever tries the product first would see somebody else's amounts, or an error."""
    (story,) = [each for each in blocks("README.md", "sh") if "post()" in each]
    stack = typed.stack
    for written, real in (
        ("localhost:8080", stack.public_url.removeprefix("http://").rstrip("/")),
        ("localhost:8081", stack.mesh_url.removeprefix("http://").rstrip("/")),
        ("examples/", f"{ROOT}/examples/"),
        ("guerdon campaign", f"{sys.executable} -m server campaign"),
    ):
        assert written in story
        story = story.replace(written, real)
    said = await typed.run("sh", "-ec", story, cwd=stack.folder.parent)
    assert "\nok\n" in said

    rewards = await typed.shop.until_rewarded(2, within_seconds=10)
    assert sorted(each["amount"]["amount"] for each in rewards) == ["1.196", "4.784"]


@pytest.mark.parametrize("header", ["x-hmac-sha256", "webhook-signature"])
async def test_two_of_one_signature_header_are_refused(typed: Typed, header: str) -> None:
    """Of two that pass through Envoy the one that somebody added might be looked at."""
    answer = await typed.shop.public.post(
        f"/ext/merchant/{typed.shop.merchant_id}/webhook/custom",
        content=b"{}",
        headers=[(header, "v1,one"), (header, "v1,other")],
    )
    assert answer.status_code == 400
    info, blamed = answer.json()["details"]
    assert info["reason"] == "REQUEST_INVALID"
    assert [each["field"] for each in blamed["fieldViolations"]] == [header]

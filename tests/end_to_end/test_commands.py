"""What an operator types, on a running mesh."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

from localmesh.stack import Stack
from tests.support import typed
from tests.support.files import ROOT
from tests.support.shop import sign_standard
from tests.support.typed import Ended

EXAMPLE = ROOT / "examples" / "cdnow" / "campaign-friends.json"
TOKEN = "0x" + "ab" * 20


async def guerdon(folder: Path, *arguments: str, **environment: str) -> Ended:
    """Types a command in a folder, without settings of this process."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith("GUERDON_")}
    return await typed.ended(*arguments, environment=ours | environment, folder=folder)


async def create_merchant(folder: Path, request_id: str, *, name: str = "Shop") -> Ended:
    return await guerdon(
        folder,
        *("merchant", "create", "--name", name, "--domain", f"{request_id[:8]}.example"),
        *("--token", TOKEN, "--request-id", request_id),
    )


async def test_a_merchant_is_created_once_and_keeps_its_key(stack: Stack) -> None:
    """A command typed again would lock the shop out of its own webhook."""
    folder, request_id = stack.folder.parent, str(uuid4())

    first = await create_merchant(folder, request_id)
    again = await create_merchant(folder, request_id)
    other = await create_merchant(folder, request_id, name="Another")

    assert (first.code, again.code, other.code) == (0, 0, 1), (first, again, other)
    webhook, kept = first.document.pop("webhook"), again.document
    key = webhook.pop("signingKey")
    assert kept["webhook"] == {**webhook, "signingKeySuffix": key[-4:]}
    assert kept["merchantId"] == first.document["merchantId"]
    assert "make a new one" in other.problems


async def test_a_campaign_is_tried_created_and_published(stack: Stack) -> None:
    """Campaigns could be made by programmers alone."""
    folder = stack.folder.parent
    merchant = (await create_merchant(folder, str(uuid4()))).document["merchantId"]
    create = ("campaign", "create", str(EXAMPLE), "--merchant", merchant)

    tried = await guerdon(folder, *create, "--check")
    published = await guerdon(folder, *create)
    draft = await guerdon(folder, *create, "--draft")

    assert len(await campaigns_of(stack, merchant)) == 2
    assert "Nothing is wrong" in tried.output
    assert published.document["status"] == "STATE_ACTIVE"
    assert draft.document["status"] == "STATE_DRAFT"


async def campaigns_of(stack: Stack, merchant_id: str) -> list[Any]:
    async with httpx.AsyncClient(
        base_url=stack.mesh_url, headers={"x-service-auth": stack.service_token}
    ) as mesh:
        answer = await mesh.get(f"/business/merchant/{merchant_id}/campaigns")
    found: list[Any] = answer.json()["campaigns"]
    return found


async def test_a_campaign_that_cannot_be_published_is_not_created(
    stack: Stack, tmp_path: Path
) -> None:
    """A draft would be left behind that nobody asked for, or a check would say that all is well."""
    folder = stack.folder.parent
    merchant = (await create_merchant(folder, str(uuid4()))).document["merchantId"]
    document = json.loads(EXAMPLE.read_text())
    del document["budgetConfig"]
    file = tmp_path / "campaign.json"
    file.write_text(json.dumps(document))
    create = ("campaign", "create", str(file), "--merchant", merchant)

    for refused in (await guerdon(folder, *create, "--check"), await guerdon(folder, *create)):
        assert refused.code == 1
        assert "pays token without a limit" in refused.problems
    assert await campaigns_of(stack, merchant) == []
    assert (await guerdon(folder, *create, "--draft")).code == 0


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "is not a campaign"),
        ('{"nane": "x"}', "nane is not known; did you mean name?"),
        ('{"name": "x", "name": "y"}', "name is there twice"),
        ("\ufeff{}", "begins with a byte order mark"),
        ('{"name": "x"}', "rule"),
        (
            EXAMPLE.read_text().replace('"percent": "', '"percent": "1000'),
            "percentage.percent",
        ),
    ],
)
async def test_a_broken_campaign_file_is_explained(
    stack: Stack, tmp_path: Path, text: str, says: str
) -> None:
    """An operator would not know which line to mend."""
    folder = stack.folder.parent
    merchant = (await create_merchant(folder, str(uuid4()))).document["merchantId"]
    file = tmp_path / "campaign.json"
    file.write_text(text)

    refused = await guerdon(folder, "campaign", "create", str(file), "--merchant", merchant)

    assert refused.code == 1
    assert says in refused.problems
    assert "Traceback" not in refused.problems


async def test_a_rate_is_added_once_and_listed(stack: Stack) -> None:
    """Orders in another currency would wait for a rate that nobody can enter."""
    folder, request_id = stack.folder.parent, str(uuid4())
    when = "2026-01-08T10:15:31+01:00"
    rate = ("rate", "set", "CHF", "SEK", "11.0832", "--at", when, "--request-id", request_id)

    first, again = await guerdon(folder, *rate), await guerdon(folder, *rate)
    listed = await guerdon(folder, "rate", "list", "--base", "CHF", "--quote", "SEK")

    assert (first.code, again.code) == (0, 0), (first, again)
    assert first.document == again.document
    assert first.document["observeTime"] == "2026-01-08T09:15:31Z"
    assert listed.output == "CHF SEK 11.0832 2026-01-08T09:15:31Z manual\n"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("CHF", "CHF", "1"), "another one than the base"),
        (("chf", "SEK", "1"), "three capital letters"),
        (("CHF", "SEK", "0"), "above 0"),
        (("CHF", "SEK", "1,5"), "decimal number"),
        (("CHF", "SEK", "1", "--at", "2026-01-08"), "no time with its zone"),
        (("CHF", "SEK", "1", "--at", "2999-01-01T00:00:00Z"), "future"),
    ],
)
async def test_a_wrong_rate_is_explained(
    stack: Stack, arguments: tuple[str, ...], says: str
) -> None:
    """Orders would be paid by a rate that was typed wrong, or nobody would know what is wrong."""
    refused = await guerdon(stack.folder.parent, "rate", "set", *arguments)

    assert refused.code == 1
    assert says in refused.problems
    assert "Traceback" not in refused.problems


async def test_what_is_dead_is_tried_again_from_the_command_line(stack: Stack) -> None:
    """An operator would need a program to bring back what died of a fault that is mended."""
    folder = stack.folder.parent
    merchant = (await create_merchant(folder, str(uuid4()))).document["merchantId"]
    retry = ("work", "retry", "--merchant", merchant)

    nothing = await guerdon(folder, *retry)
    unknown = await guerdon(folder, *retry, "--interaction", str(uuid4()))
    nobody = await guerdon(folder, "work", "retry", "--merchant", str(uuid4()))

    assert nothing.code == 0, nothing
    assert "0 interactions are decided again" in nothing.output
    assert "0 deliveries are applied again" in nothing.output
    for refused in (unknown, nobody):
        assert refused.code == 1
        assert "Traceback" not in refused.problems
        assert refused.problems.strip(), refused


async def test_a_lane_is_held_and_released_from_the_command_line(stack: Stack) -> None:
    """An operator would need a program to stop a shop whose rewards go wrong."""
    folder, nobody = stack.folder.parent, str(uuid4())
    merchants = [
        (await create_merchant(folder, str(uuid4()))).document["merchantId"] for _ in range(2)
    ]

    held = await guerdon(folder, "lane", "hold", *merchants)
    shown = await guerdon(folder, "lane", "show", merchants[1])
    status = await guerdon(folder, "status")
    released = await guerdon(folder, "lane", "release", *merchants)
    again = await guerdon(folder, "lane", "show", merchants[1])
    dead = await guerdon(folder, "lane", "dead", merchants[0])

    assert held.output.splitlines() == [f"The lane of {each} is held." for each in merchants]
    assert shown.document["held"] is True
    assert status.output.count("lane held") == 2
    assert "0 events are due" in released.output
    assert (again.document["held"], again.document["dueCount"]) == (False, 0)
    assert (dead.code, dead.output) == (0, "")
    for verb in ("hold", "release", "show", "dead"):
        for merchant, says in ((nobody, nobody), ("red-shoes", "UUID")):
            refused = await guerdon(folder, "lane", verb, merchant)
            assert refused.code == 1
            assert says in refused.problems
            assert "Traceback" not in refused.problems


async def test_dead_deliveries_are_listed_and_tried_again(stack: Stack) -> None:
    """An operator would know that a shop's message died, and not which, nor why."""
    folder = stack.folder.parent
    created = (await create_merchant(folder, str(uuid4()))).document
    merchant, webhook = created["merchantId"], created["webhook"]
    body = json.dumps({"id": "A-1"}).encode()
    proof = sign_standard(
        body, event_id="first", sent=datetime.now(UTC), keys=[webhook["signingKey"]]
    )
    headers = {name: values[0] for name, values in proof.items()}
    async with httpx.AsyncClient(base_url=stack.public_url) as public:
        answer = await public.post(webhook["path"], content=body, headers=headers)
    assert answer.status_code == 400, answer.text

    listed = await guerdon(folder, "delivery", "list", merchant)
    applied = await guerdon(folder, "delivery", "list", merchant, "--state", "applied")
    one = listed.output.split()[0]
    retried = await guerdon(folder, "delivery", "retry", merchant, one)
    unknown = await guerdon(folder, "delivery", "retry", merchant, str(uuid4()))

    assert listed.output.count("\n") == 1, listed
    assert " dead " in listed.output
    assert "status" in listed.output
    assert applied.output == ""
    assert retried.output == "1 delivery is applied again.\n"
    assert unknown.code == 1
    assert "Traceback" not in unknown.problems


async def test_without_a_mesh_a_command_says_how_to_get_one(tmp_path: Path) -> None:
    """A stranger would read a stack of calls."""
    for arguments in (
        ("ledger", "check"),
        ("campaign", "create", str(EXAMPLE), "--merchant", str(uuid4())),
    ):
        ended = await guerdon(tmp_path, *arguments)
        assert ended.code == 1
        assert "Start one with `guerdon up`" in ended.problems

    missing = await guerdon(tmp_path, "serve")
    assert missing.code == os.EX_CONFIG
    for name in ("GUERDON_DATABASE_URL", "GUERDON_SERVICE_TOKEN", "GUERDON_SECRETS_KEY"):
        assert name in missing.problems


async def test_the_books_are_checked_from_the_command_line(stack: Stack) -> None:
    """An operator could not tell whether money is missing."""
    ended = await guerdon(stack.folder.parent, "ledger", "check")

    assert ended.code == 0, ended
    assert "The books agree" in ended.output


async def test_a_database_that_cannot_be_used_is_explained(stack: Stack, tmp_path: Path) -> None:
    """An operator with a wrong password would read a stack of calls."""
    nowhere = "postgresql+asyncpg://guerdon@127.0.0.1:1/guerdon"
    user, _, place = stack.database_url.partition("@")
    locked = f"{user.rpartition(':')[0]}:wrong@{place}"
    for arguments in (("ledger", "check"), ("migrate",)):
        for url, says, code in (
            (nowhere, "cannot be reached: ECONNREFUSED", 1),
            (locked, "password authentication", os.EX_CONFIG),
        ):
            ended = await guerdon(tmp_path, *arguments, GUERDON_DATABASE_URL=url)
            assert ended.code == code
            assert says in ended.problems
            assert "Traceback" not in ended.problems

    # Only a database is needed to change the schema.
    migrated = await guerdon(tmp_path, "migrate", GUERDON_DATABASE_URL=stack.owner_url)
    assert (migrated.code, migrated.problems) == (0, "")


async def test_a_taken_address_is_explained(stack: Stack, tmp_path: Path) -> None:
    """An operator would search for what `Failed to bind` means."""
    ended = await guerdon(
        tmp_path,
        "serve",
        GUERDON_DATABASE_URL=stack.database_url,
        GUERDON_SERVICE_TOKEN=stack.service_token,
        GUERDON_SECRETS_KEY=(stack.folder / "secrets.key").read_text().strip(),
        GUERDON_LISTEN_PORT=str(stack.ports["serve-1"]),
    )

    assert ended.code == 1
    assert "GUERDON_LISTEN_PORT" in ended.problems
    assert "Traceback" not in ended.problems

"""`guerdon status` tells whatever an operator has to look at, within one screen."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import orjson
import pytest
from click.testing import CliRunner
from sqlalchemy import text
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncEngine

from infrastructure.database.engine import create_engine, database_of
from infrastructure.database.sealing_key import add_fingerprint
from infrastructure.keys.secret_box import SecretBox
from localmesh.postgres import ROLE, Postgres
from localmesh.progress import SilentReporter
from localmesh.stack import Stack
from server.__main__ import main
from server.connected import process_label
from server.running_stack import is_alive
from server.status.printing import COLUMNS, LINES_MAX
from tests.support.deliveries import FAULT
from tests.support.files import ROOT, source_of
from tests.support.mesh import own_database, running_mesh, settings_for, url_of
from tests.support.orders import add_order
from tests.support.sealed_shops import NEW, OLD, connected
from tests.support.shop import Shop, a_delivery, a_shop

HOUR = timedelta(hours=1)
STAND_IN = (sys.executable, str(ROOT / "tests" / "support" / "stand_in_server.py"))
_INTERACTION = """
    INSERT INTO interaction (interaction_id, merchant_id, kind, order_reference, generation,
        due_time, state)
    VALUES (gen_random_uuid(), :merchant_id, 'purchase', 'A-1', 1, now(), 'dead')
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What the command printed, and how it ended."""

    code: int
    screen: str

    def __contains__(self, words: str) -> bool:
        # A sentence goes on in the next line.
        return words in re.sub(r"\s+", " ", self.screen)


async def told(*arguments: str, **settings: str) -> Told:
    """What `guerdon status` says, in an environment of these settings alone."""
    names = [name for name in os.environ if name.startswith("GUERDON_")]
    environment: dict[str, str | None] = dict.fromkeys(names)
    environment |= {f"GUERDON_{name}": value for name, value in settings.items()}
    done = await asyncio.to_thread(
        CliRunner().invoke, main, ["status", *arguments], env=environment
    )
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return Told(code=done.exit_code, screen=done.output)


@pytest.fixture
async def fresh(postgres: Postgres) -> AsyncIterator[AsyncEngine]:
    """A migrated database of the test's own, which a worker and a server are connected to."""
    async with own_database(postgres, pool_size=2) as engine:
        others = [
            create_engine(url_of(engine), pool_size=1, application_name=process_label(name))
            for name in ("serve", "work")
        ]
        try:
            for each in others:
                async with each.connect():
                    pass
            yield engine
        finally:
            for each in others:
                await each.dispose()


async def write(shop: Shop, statement: str, **parameters: object) -> None:
    async with shop.database.transaction() as tx:
        await tx.execute(text(statement), {"merchant_id": shop.merchant_id, **parameters})


async def an_order(shop: Shop, order: str, **columns: object) -> None:
    async with shop.database.transaction() as tx:
        await add_order(tx, shop.merchant_id, order, **columns)


async def a_dead_delivery(shop: Shop) -> None:
    body = orjson.dumps({"id": str(uuid4())})
    dead = a_delivery(shop, body, event_id=str(uuid4()))
    async with shop.database.transaction() as tx:
        await shop.flows.deliveries.keep_dead(tx, dead, failure=FAULT, now=datetime.now(UTC))


def line_of(shop: Shop, screen: Told) -> str:
    """What the screen says of a shop."""
    [line] = [each for each in screen.screen.splitlines() if str(shop.merchant_id) in each]
    return line


async def test_a_mesh_that_is_well_is_said_to_be(fresh: AsyncEngine) -> None:
    """An alarm that always rings is turned off."""
    shop = await a_shop(database_of(fresh))
    await an_order(shop, "decided", due_time=None)
    await an_order(shop, "later", due_time=datetime.now(UTC) + HOUR)

    screen = await told(DATABASE_URL=url_of(fresh))

    assert screen.code == 0, screen
    assert ": all is well" in screen
    assert f"1 serve ({os.getpid()}@" in screen
    assert "1, 0 of them with trouble" in screen
    assert "the one of this version" in screen


async def test_a_held_lane_is_told(fresh: AsyncEngine) -> None:
    """Somebody held it and forgot: nobody is paid, and nothing fails."""
    shop = await a_shop(database_of(fresh))
    await write(shop, "INSERT INTO reward_lane (merchant_id, held) VALUES (:merchant_id, true)")

    screen = await told(DATABASE_URL=url_of(fresh))

    assert screen.code == 1
    assert "lane held" in line_of(shop, screen)


async def test_a_lane_that_is_late_or_set_back_is_told(fresh: AsyncEngine) -> None:
    """Rewards come later and later, and the first to notice would be who waits for money."""
    late, failing, quiet = [await a_shop(database_of(fresh)) for _ in range(3)]
    await an_order(late, "A-1", due_time=datetime.now(UTC) - 3 * HOUR)
    await write(
        failing,
        """INSERT INTO reward_lane (merchant_id, obstacle, failure_count, retry_time)
           VALUES (:merchant_id, 'TIMED_OUT', 3, now())""",
    )

    screen = await told(DATABASE_URL=url_of(fresh))

    assert "1 events due for 3 h" in line_of(late, screen)
    assert "lane set back (deciding took too long)" in line_of(failing, screen)
    assert str(quiet.merchant_id) not in screen


async def test_a_lane_that_waits_for_a_rate_is_told(fresh: AsyncEngine) -> None:
    """An operator could not know which rate to add."""
    shop = await a_shop(database_of(fresh))
    for order in ("A-1", "A-2"):
        await an_order(shop, order, needed_rate="USD/EUR")

    assert "2 orders wait for a rate USD/EUR" in line_of(
        shop, await told(DATABASE_URL=url_of(fresh))
    )


async def test_what_is_dead_is_told(fresh: AsyncEngine) -> None:
    """It waits for somebody, and would wait for ever."""
    shop = await a_shop(database_of(fresh))
    await an_order(shop, "A-1", due_time=None)
    await write(shop, _INTERACTION)
    await a_dead_delivery(shop)
    await a_dead_delivery(shop)

    line = line_of(shop, await told(DATABASE_URL=url_of(fresh)))

    assert "1 dead interactions, 2 dead deliveries" in line


async def test_a_kind_of_process_that_nobody_runs_is_told(postgres: Postgres) -> None:
    """Calls are answered, orders are taken, and no reward is ever decided."""
    async with own_database(postgres, pool_size=1) as engine:
        screen = await told(DATABASE_URL=url_of(engine))

    assert screen.code == 1
    assert "No `work` process is connected: no rewards are decided." in screen
    assert "No `serve` process is connected: nobody answers calls." in screen


async def test_a_process_of_this_host_that_is_down_is_told(tmp_path: Path) -> None:
    """Its supervisor tries again and again, and nobody looks into its log."""
    reporter = SilentReporter(lambda _: None)
    stack = Stack(
        folder=tmp_path,
        environment={"PATH": os.defpath},
        reporter=reporter,
        durable=False,
        with_envoy=False,
        program=STAND_IN,
    )
    async with stack:
        killed = stack.processes["serve-2"].pid
        os.kill(killed, signal.SIGKILL)
        # Until it has been waited for; it comes back after a second.
        while is_alive(killed):  # noqa: ASYNC110 - the kernel says it
            await asyncio.sleep(0.01)
        screen = await told("--folder", str(tmp_path))
        later = await told("--folder", str(tmp_path / "elsewhere"))

    assert screen.code == 1
    assert "The process `serve-2` is down." in screen
    assert "The process `serve-1` is down." not in screen
    assert "1 postgres" in screen
    assert "No stack runs here" in later


async def test_a_process_that_lacks_a_key_is_told(fresh: AsyncEngine) -> None:
    """It refuses the webhooks of some shops, and everything else of it is well."""
    async with connected(fresh, OLD), connected(fresh, NEW, OLD, kind="work"):
        for key in (OLD, NEW):
            async with database_of(fresh).transaction() as tx:
                await add_fingerprint(tx, SecretBox([key]).fingerprint)
        screen = await told(DATABASE_URL=url_of(fresh))
        document = json.loads((await told("--json", DATABASE_URL=url_of(fresh))).screen)

    assert screen.code == 1
    assert f"The process `serve {os.getpid()}@" in screen
    assert "lacks a key that secrets are sealed with" in screen
    assert [each["kind"] for each in document["processes"] if each["lacksKey"]] == ["serve"]


async def test_rights_that_were_taken_away_are_told(fresh: AsyncEngine, postgres: Postgres) -> None:
    """Only the log told of it, call by call; the role is that of the processes, not of who asks."""
    role_url = postgres.role_url_of(make_url(url_of(fresh)).database or "")
    as_role = create_engine(role_url, pool_size=1, application_name=process_label("serve"))
    async with as_role.connect():
        pass
    well = await told(DATABASE_URL=url_of(fresh))
    async with fresh.begin() as connection:
        await connection.execute(text(f"REVOKE DELETE ON delivery FROM {ROLE}"))
        await connection.execute(text(f"REVOKE INSERT, SELECT ON merchant FROM {ROLE}"))
    screens = [await told(DATABASE_URL=url) for url in (url_of(fresh), role_url)]
    document = json.loads((await told("--json", DATABASE_URL=url_of(fresh))).screen)
    # A process of its own has imported no more than it needs.
    alone = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "server", "status", "--json"),
        env={**os.environ, "GUERDON_DATABASE_URL": url_of(fresh)},
        stdout=asyncio.subprocess.PIPE,
    )
    by_itself = json.loads((await alone.communicate())[0])["database"]
    await as_role.dispose()

    assert f"{ROLE} has what processes need" in well
    assert by_itself["roles"] == document["database"]["roles"]
    for screen in screens:
        assert screen.code == 1
        assert f"{ROLE} has no DELETE on delivery, INSERT on merchant and SELECT on" in screen
    # Whoever cannot look says so, and tells the rest.
    assert "shops unknown" in screens[1]
    [role] = [each for each in document["database"]["roles"] if each["name"] == ROLE]
    assert role["missingRights"] == [
        "DELETE on delivery",
        "INSERT on merchant",
        "SELECT on merchant",
    ]


async def test_what_is_not_known_is_said(fresh: AsyncEngine) -> None:
    """Everything would look well that was never asked."""
    screen = await told(DATABASE_URL=url_of(fresh))
    document = json.loads((await told("--json", DATABASE_URL=url_of(fresh))).screen)

    assert "mesh unknown: name its listener with GUERDON_MESH_ADDRESS" in screen
    assert "disk unknown: name a folder of it with --disk" in screen
    assert (screen.code, document["mesh"]) == (0, None)


async def test_a_schema_that_is_behind_is_told(fresh: AsyncEngine) -> None:
    """Calls of a newer version fail, and the rest of the screen would as well."""
    async with fresh.begin() as connection:
        await connection.execute(text("UPDATE alembic_version SET version_num = '0001'"))

    screen = await told(DATABASE_URL=url_of(fresh))

    assert "at revision 0001, and this version needs" in screen
    assert "run `guerdon migrate`" in screen
    assert "shops unknown" in screen


async def test_a_database_that_is_away_is_told(unused_tcp_port: int) -> None:
    """The one moment in which everybody asks for the status."""
    url = f"postgresql+asyncpg://guerdon:secret@127.0.0.1:{unused_tcp_port}/guerdon"

    screen = await told(DATABASE_URL=url)

    assert screen.code == 1
    assert "The database cannot be reached" in screen
    assert "secret@" not in screen


async def test_a_disk_that_is_nearly_full_is_told(fresh: AsyncEngine, tmp_path: Path) -> None:
    """PostgreSQL stops at the worst moment, with all that is in memory."""
    options = ("--disk", str(tmp_path), "--free-min")

    full = await told(*options, "1e9", DATABASE_URL=url_of(fresh))
    roomy = await told(*options, "0", DATABASE_URL=url_of(fresh))

    assert f"The disk of {tmp_path} is nearly full" in full
    assert (full.code, roomy.code) == (1, 0)


async def test_connections_of_others_are_counted(fresh: AsyncEngine) -> None:
    """Whoever asks as the role that owns nothing would see its own, and no shortage."""
    async with fresh.begin() as connection:
        await connection.execute(text("CREATE ROLE looks_alone LOGIN PASSWORD 'looks'"))
    try:
        url = make_url(url_of(fresh)).set(username="looks_alone", password="looks")
        screen = await told(DATABASE_URL=url.render_as_string(hide_password=False))
    finally:
        async with fresh.begin() as connection:
            await connection.execute(text("DROP ROLE looks_alone"))

    [count] = re.findall(r"([0-9]+) of [0-9]+ connections", screen.screen)
    # Its own, the test's, and those of the two processes.
    assert int(count) >= 4


async def test_the_mesh_listener_is_asked(fresh: AsyncEngine, unused_tcp_port: int) -> None:
    """Every process may be well, and nobody reach them."""
    async with running_mesh(fresh, settings_for(url_of(fresh))) as mesh:
        served = await told(DATABASE_URL=url_of(fresh), MESH_ADDRESS=f"127.0.0.1:{mesh.port}")
    address = f"127.0.0.1:{unused_tcp_port}"
    gone = await told(DATABASE_URL=url_of(fresh), MESH_ADDRESS=address)

    assert served.code == 0, served
    assert f"The mesh listener {address} does not answer" in gone


async def test_everything_at_once_is_one_screen(fresh: AsyncEngine, tmp_path: Path) -> None:
    """The line that matters would have gone out of sight."""
    shops = [await a_shop(database_of(fresh)) for _ in range(40)]
    for shop in shops:
        await write(shop, "UPDATE merchant SET name = repeat('a\n', 70)")
        await write(shop, "INSERT INTO reward_lane (merchant_id, held) VALUES (:merchant_id, true)")
    folders = [tmp_path / f"disk-{number}" for number in range(20)]
    for folder in folders:
        folder.mkdir()
    options = [part for folder in folders for part in ("--disk", str(folder))]

    screen = await told(*options, "--free-min", "1e9", DATABASE_URL=url_of(fresh))

    lines = screen.screen.splitlines()
    assert len(lines) <= LINES_MAX
    assert max(map(len, lines)) <= COLUMNS
    assert "more lines of problems: see --json" in screen
    assert re.search(r"and [0-9]+ more shops: see --json", screen.screen)


async def test_the_document_is_the_one_that_is_written_down(
    fresh: AsyncEngine, unused_tcp_port: int
) -> None:
    """A monitor would look for keys that are not there."""
    shop = await a_shop(database_of(fresh))
    await an_order(shop, "A-1", needed_rate="USD/EUR")
    await a_dead_delivery(shop)

    screen = await told(
        *("--json", "--disk", ".", "--free-min", "1e9"),
        DATABASE_URL=url_of(fresh),
        MESH_ADDRESS=f"127.0.0.1:{unused_tcp_port}",
    )
    document = json.loads(screen.screen)

    [written] = re.findall(r"```json\n(.*?)```", source_of(Path("docs/operating.md")), re.DOTALL)
    assert shape_of(document) == shape_of(json.loads(written))
    [troubled] = document["shops"]["troubled"]
    assert troubled["deadDeliveryCount"] == 1
    assert troubled["neededRates"][0]["pair"] == "USD/EUR"
    assert (screen.code, document["isWell"]) == (1, False)


def shape_of(value: Any) -> Any:
    """Its keys, and of lists the first item's. What may be null is not compared."""
    if isinstance(value, dict):
        return {key: shape_of(each) for key, each in value.items()}
    if isinstance(value, list):
        return [shape_of(each) for each in value[:1]]
    return "value"


async def test_a_wrong_setting_ends_it_like_every_command(fresh: AsyncEngine) -> None:
    """A monitor would take what is wrong with its own environment for a mesh that needs a look."""
    screen = await told(DATABASE_URL=url_of(fresh), RATE_AGE_MAX_HOURS="0")

    assert screen.code == os.EX_CONFIG
    assert "GUERDON_RATE_AGE_MAX_HOURS must be a whole number from 1 to 8760" in screen

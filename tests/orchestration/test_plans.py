"""How PostgreSQL runs the statements of the hot paths, whatever it knows of the tables.

Whoever writes such a statement names it in `tests.support.hot_statements`, `hot_requests`,
`hot_turns` or `hot_chores`. What keeps it from being planned badly is its shape: look-ups that
nothing can move, as in `LATERAL (… OFFSET 0)` or `LATERAL (… ORDER BY … LIMIT 1)`, and updates
whose list of rows nothing can take for a large one.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from domains.campaign.model import Recipient, Trigger
from infrastructure.database.engine import Limits, create_engine
from infrastructure.database.metadata import metadata
from infrastructure.database.schema import migrate
from infrastructure.database.transaction import Database
from localmesh.postgres import Postgres
from tests.support.counting import counting
from tests.support.flows import NOON
from tests.support.hot_chores import CHORES
from tests.support.hot_requests import REQUESTS
from tests.support.hot_statements import DECIDING, LANES, WHOLE, HotStatement
from tests.support.hot_turns import TURNS
from tests.support.large_tables import ROWS_FEW, ROWS_MANY, empty_tables, fill_tables
from tests.support.mesh import create_database
from tests.support.plans import PlanMode, Scan, WatchedConnection, watched_connection
from tests.support.rules import Limit, a_campaign
from tests.support.shop import a_shop

STATEMENTS = REQUESTS | LANES | DECIDING | TURNS | CHORES
BLOCKS_MAX = 10
"""How many pages a scan may look at for each row that it may meet: a descent, and the row."""

CALLS = 8
"""More than those after which PostgreSQL considers to keep a plan."""

STATEMENTS_OF_A_SHOP = 30
"""Fewer than a shop causes whose visitors bring others, buy, claim and send back."""

GROWN = "plans_grown"

# As ANALYZE leaves it behind when there are no rows.
_KNOWN_TO_BE_EMPTY = text(
    """
    SELECT pg_restore_relation_stats('schemaname', 'public', 'relname', relname::text,
                                     'relpages', 0, 'reltuples', CAST(0 AS real))
    FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'i')
    """
)

Scans = dict[str, dict[str, list[Scan]]]
"""How each statement met the tables, by its name, then by what PostgreSQL knew of them."""


@pytest.fixture(scope="module")
async def scans(postgres: Postgres) -> Scans:
    """What every statement does in every situation.

    Nothing is analyzed but where a situation says so, and a plan that is kept is kept until then.
    """
    found: Scans = defaultdict(dict)
    url = await create_database(postgres, GROWN)
    pool = await _open(url)
    async with (
        pool.execution_options(isolation_level="AUTOCOMMIT").connect() as connection,
        watched_connection(url, PlanMode.GENERIC) as keeping,
    ):
        await _watch(found, "empty, planned for values", url, PlanMode.CUSTOM)
        await _note(found, "empty, planned for any values", keeping)
        await fill_tables(connection, rows=ROWS_MANY)
        await _note(found, "planned when empty, grown since", keeping)
        await _watch_both(found, "never analyzed", url)
        await connection.execute(_KNOWN_TO_BE_EMPTY)
        await _watch_both(found, "analyzed when empty", url)
        await connection.execute(text("ANALYZE"))
        await _watch_both(found, "analyzed", url)
    await pool.dispose()

    url = await create_database(postgres, "plans_small")
    pool = await _open(url)
    async with pool.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
        await fill_tables(connection, rows=ROWS_FEW)
        await connection.execute(text("ANALYZE"))
        await empty_tables(connection)
        await fill_tables(connection, rows=ROWS_MANY)
        await _watch_both(found, "analyzed when small", url)
    await pool.dispose()
    return found


async def _open(url: str) -> AsyncEngine:
    """A pool on a migrated database in which nothing is analyzed by itself."""
    limits = Limits(statement=timedelta(minutes=5))
    pool = create_engine(url, pool_size=1, application_name="test of plans", limits=limits)
    await migrate(pool)
    async with pool.begin() as connection:
        for table in metadata.sorted_tables:
            if not table.dialect_options["postgresql"]["partition_by"]:
                await _leave_alone(connection, table.name)
    return pool


async def _leave_alone(connection: AsyncConnection, table: str) -> None:
    await connection.execute(text(f'ALTER TABLE "{table}" SET (autovacuum_enabled = off)'))


async def _watch_both(found: Scans, situation: str, url: str) -> None:
    await _watch(found, f"{situation}, planned for values", url, PlanMode.CUSTOM)
    await _watch(found, f"{situation}, planned for any values", url, PlanMode.GENERIC)


async def _watch(found: Scans, situation: str, url: str, mode: PlanMode) -> None:
    async with watched_connection(url, mode) as connection:
        await _note(found, situation, connection)


async def _note(found: Scans, situation: str, connection: WatchedConnection) -> None:
    for name, statement in STATEMENTS.items():
        found[name][situation] = await connection.scans_of(statement.call)


@pytest.mark.timeout(300)
async def test_the_plans_of_requests_are_kept(postgres: Postgres, scans: Scans) -> None:
    """Planning takes several times as long as running, so every request would cost that."""
    assert scans, "the tables are full and analyzed"
    async with watched_connection(postgres.url_of(GROWN), PlanMode.AUTO) as connection:
        for statement in REQUESTS.values():
            for _ in range(CALLS):
                await connection.scans_of(statement.call)
        assert await connection.planned_anew() == []


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", STATEMENTS)
def test_a_statement_finds_its_rows_by_an_index(scans: Scans, name: str) -> None:
    """It would cost more with every row: in a new shop, after a rush, or whenever PostgreSQL
    guesses wrong.
    """
    statement = STATEMENTS[name]
    faults: dict[str, list[str]] = defaultdict(list)
    for situation, found in scans[name].items():
        for scan in found:
            for fault in _faults(scan, statement):
                faults[fault].append(situation)
    assert not faults, "\n".join(f"{fault}: {'; '.join(where)}" for fault, where in faults.items())


@pytest.mark.timeout(300)
def test_every_table_that_a_statement_may_read_is_read(scans: Scans) -> None:
    """The list of indexes would promise what no statement does."""
    read = {
        name: {scan.table for found in situations.values() for scan in found}
        for name, situations in scans.items()
    }
    assert read == {name: set(statement.indexes) for name, statement in STATEMENTS.items()}


@pytest.mark.timeout(300)
async def test_what_a_shop_causes_is_among_them(
    postgres: Postgres, scans: Scans, acting_engine: AsyncEngine, real_database: Database
) -> None:
    """A statement of every arrival, order or turn would be planned as it happens."""
    assert scans, "the tables are full and analyzed"
    async with watched_connection(postgres.url_of(GROWN), PlanMode.CUSTOM) as connection:
        for statement in STATEMENTS.values():
            await connection.scans_of(statement.call)
        known = connection.sent

    pays_referrers = a_campaign(
        to=Recipient.REFERRER,
        trigger=Trigger.REFERRAL_PURCHASE,
        limits=(Limit(amount="1000"),),
    )
    shop = await a_shop(real_database, pays_referrers)
    with counting(acting_engine) as sent:
        await shop.arrive("friend")
        await shop.arrive("buyer", referrer="friend")
        await shop.work()
        await shop.buy("buyer", "A-1", ordered=NOON)
        await shop.work()
        await shop.claim("buyer", "A-1")
        await shop.report("A-1", "refunded")
        await shop.work()
    assert len(set(sent)) > STATEMENTS_OF_A_SHOP
    assert not set(sent) - known


def _faults(scan: Scan, statement: HotStatement) -> list[str]:
    how = scan.index or "walking through it"
    allowed = statement.indexes.get(scan.table)
    if allowed is None:
        return [f"{scan.table} is read, by {how}"]
    if allowed == WHOLE:
        return []
    faults = []
    if not set(scan.index.split(", ")) <= set(allowed.split(", ")):
        faults.append(f"{scan.table} is read by {how}")
    if scan.rows > statement.rows_max:
        faults.append(f"{scan.rows} rows of {scan.table} are met by {how}")
    if scan.blocks > BLOCKS_MAX * statement.rows_max:
        faults.append(f"{scan.blocks} pages of {scan.table} are met by {how}")
    return faults

"""The plans by which PostgreSQL runs what is sent to it, as PostgreSQL itself reports them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from infrastructure.database.engine import Limits, create_engine
from infrastructure.database.transaction import Transaction

Call = Callable[[Transaction], Awaitable[object]]

_INTO_NOTICES = (
    "LOAD 'auto_explain'",
    "SET auto_explain.log_min_duration = 0",
    "SET auto_explain.log_analyze = on",
    "SET auto_explain.log_timing = off",
    "SET auto_explain.log_buffers = on",
    "SET auto_explain.log_format = json",
    "SET auto_explain.log_level = notice",
)
_PLANNED_ANEW = text(
    """
    SELECT statement FROM pg_prepared_statements
    WHERE generic_plans = 0 AND custom_plans > 5 AND statement NOT LIKE '%pg_catalog%'
    """
)
_SCANS = ("Seq Scan", "Sample Scan", "Index Scan", "Index Only Scan", "Bitmap Heap Scan")


class PlanMode(StrEnum):
    """Which plan of a prepared statement is used."""

    CUSTOM = "force_custom_plan"
    GENERIC = "force_generic_plan"
    AUTO = "auto"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan:
    """One access to a table. `index` is empty for a walk through all of it.

    `rows` are those that it had to look at, `blocks` the pages.
    """

    table: str
    index: str
    rows: int
    blocks: int


@dataclass(slots=True)
class WatchedConnection:
    """A connection that reports the plan of each statement, and undoes what statements did."""

    connection: AsyncConnection
    sent: set[str] = field(default_factory=set)
    """The texts of all statements that it has reported."""
    _plans: list[dict[str, Any]] = field(default_factory=list)

    async def scans_of(self, call: Call) -> list[Scan]:
        """How a call's statements met the tables. That a row is missing is no matter here."""
        self._plans.clear()
        transaction = await self.connection.begin()
        try:
            with suppress(AssertionError, DBAPIError):
                await call(Transaction(self.connection))
        finally:
            # Ends the last statement's executor, which is when its plan is reported.
            await transaction.rollback()
        await asyncio.sleep(0)
        # The driver asks the catalogue about types that are new to it.
        return [
            scan
            for plan in self._plans
            for scan in _scans(plan)
            if not scan.table.startswith("pg_")
        ]

    async def planned_anew(self) -> list[str]:
        """The statements that were planned for their values whenever they were sent."""
        async with self.connection.begin():
            found = await self.connection.execute(_PLANNED_ANEW)
            return list(found.scalars())

    def note(self, _: Any, message: Any) -> None:
        """Takes a notice of the server."""
        _, found, document = str(message.message).partition("plan:\n")
        if found:
            reported = json.loads(document)
            self.sent.add(reported["Query Text"])
            self._plans.append(reported["Plan"])


@asynccontextmanager
async def watched_connection(url: str, mode: PlanMode) -> AsyncIterator[WatchedConnection]:
    """A connection of its own, with the driver's prepared statements."""
    limits = Limits(idle_in_transaction=timedelta(), statement=timedelta(minutes=2))
    engine: AsyncEngine = create_engine(
        url, pool_size=1, application_name="test of plans", limits=limits
    )
    try:
        async with engine.connect() as connection:
            driver = (await connection.get_raw_connection()).driver_connection
            assert driver is not None
            for statement in (*_INTO_NOTICES, f"SET plan_cache_mode = {mode}"):
                await driver.execute(statement)
            watched = WatchedConnection(connection)
            driver.add_log_listener(watched.note)
            yield watched
            driver.remove_log_listener(watched.note)
    finally:
        await engine.dispose()


def _scans(node: dict[str, Any]) -> Iterator[Scan]:
    inside = node.get("Plans", [])
    if node["Node Type"] in _SCANS:
        yield Scan(
            table=node["Relation Name"],
            index=node.get("Index Name") or ", ".join(sorted(_indexes(inside))),
            rows=_rows(node),
            blocks=_blocks(node) - sum(_blocks(each) for each in inside if _is_apart(each)),
        )
    for each in inside:
        yield from _scans(each)


def _is_apart(node: dict[str, Any]) -> bool:
    """Whether a node inside a scan is another question and no part of the scan."""
    return node["Parent Relationship"] in {"InitPlan", "SubPlan"}


def _indexes(nodes: list[dict[str, Any]]) -> Iterator[str]:
    for each in nodes:
        if each["Node Type"] == "Bitmap Index Scan":
            yield each["Index Name"]
        elif each["Node Type"] in {"BitmapOr", "BitmapAnd"}:
            yield from _indexes(each["Plans"])


def _rows(node: dict[str, Any]) -> int:
    seen: float = (
        node["Actual Rows"]
        + node.get("Rows Removed by Filter", 0)
        + node.get("Rows Removed by Index Recheck", 0)
    )
    loops: int = node["Actual Loops"]
    return round(seen * loops)


def _blocks(node: dict[str, Any]) -> int:
    return int(node.get("Shared Hit Blocks", 0)) + int(node.get("Shared Read Blocks", 0))

"""Whether a running process can still read every secret."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta

import structlog

from infrastructure.database.sealing_key import list_fingerprints
from infrastructure.database.transaction import Database, Transaction
from server.connected import list_connected, marks_of
from server.preflight import SealingKeys, UnusableDatabaseError, require_keys

WATCHED_EVERY = timedelta(seconds=5)

_log = structlog.get_logger()


class KeyWatch:
    """Asks the database which keys are in use, again and again, and says when one is missing.

    `tell` hears at each look whether others should be asked in place of this process: it lacks a
    key, and another server does not. If all lack it, all go on with what needs no key.
    """

    def __init__(
        self,
        *,
        database: Database,
        secrets: SealingKeys,
        tell: Callable[[bool], Awaitable[None]] | None = None,
    ) -> None:
        self._database = database
        self._secrets = secrets
        self._tell = tell
        self._problem = ""

    async def run(self) -> timedelta:
        """Looks once; returns how long until the next look."""
        async with self._database.single() as tx:
            problem = await self._find_problem(tx)
            is_passed_over = bool(problem) and await _is_another_complete(tx)
        if problem and not self._problem:
            _log.error("a key is missing", problem=problem)
        if self._problem and not problem:
            _log.info("no key is missing any more")
        self._problem = problem
        if self._tell is not None:
            await self._tell(is_passed_over)
        return WATCHED_EVERY

    async def _find_problem(self, tx: Transaction) -> str:
        try:
            await require_keys(tx, self._secrets)
        except UnusableDatabaseError as problem:
            return str(problem)
        return ""


async def _is_another_complete(tx: Transaction) -> bool:
    needed = marks_of(await list_fingerprints(tx))
    return any(each.kind == "serve" and each.opens(needed) for each in await list_connected(tx))

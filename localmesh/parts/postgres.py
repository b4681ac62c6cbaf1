"""The database."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from localmesh.parts.part import Part, PartContext
from localmesh.ports import PortWish
from localmesh.postgres import DATABASE, READY_SECONDS_MAX, ROLE, Postgres
from localmesh.processes import Child


class PostgresPart(Part):
    """A PostgreSQL with the product's database, and the role that processes work as."""

    name = "postgres"
    port = PortWish(port=5432)
    ready_seconds_max = READY_SECONDS_MAX

    def __init__(self, *, durable: bool) -> None:
        self._durable = durable
        self._made: Postgres | None = None

    @property
    def _server(self) -> Postgres:
        assert self._made is not None, "prepare() comes first"
        return self._made

    async def prepare(self, context: PartContext) -> None:
        self._made = Postgres(
            folder=context.folder / "postgres",
            port=context.ports[self.name],
            durable=self._durable,
        )
        await asyncio.to_thread(self._made.prepare)

    def child(self, context: PartContext) -> Child:
        return self._server.child

    async def why_not_ready(self, context: PartContext) -> str:
        return await self._server.why_not_ready()

    async def complete(self, context: PartContext) -> None:
        await self._server.make_database()

    def additions(self, context: PartContext) -> Mapping[str, str]:
        return {"GUERDON_DATABASE_URL": self._server.role_url_of(DATABASE)}

    def owner_environment(self) -> Mapping[str, str]:
        """What the process that migrates has instead: it owns the tables, the others do not."""
        return {"GUERDON_DATABASE_URL": self._server.url, "GUERDON_DATABASE_ROLE": ROLE}

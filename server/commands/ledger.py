"""`guerdon ledger`: the books."""

from __future__ import annotations

from collections.abc import Sequence

import click

from infrastructure.database.engine import create_engine, database_of
from orchestration.queries.ledger_check import Finding, check_ledger
from server.commands.database import explained_database_faults, find_database_url
from server.commands.mesh import asynchronous
from server.commands.settings import WrongConfigurationError
from server.preflight import UnusableDatabaseError, require_schema, require_version


@click.group()
def ledger() -> None:
    """The books."""


@ledger.command()
@asynchronous
async def check() -> None:
    """Holds the books against themselves; exits with 1 if anything disagrees."""
    try:
        with explained_database_faults():
            findings = await run_check(find_database_url())
    except UnusableDatabaseError as problem:
        raise WrongConfigurationError(str(problem)) from problem
    for finding in findings:
        click.echo(line_of(finding))
        for example in finding.examples:
            click.echo(f"         {example}")
    broken = sum(1 for finding in findings if finding.violation_count)
    if broken:
        message = f"{broken} of {len(findings)} invariants are broken."
        raise click.ClickException(message)
    click.echo(f"The books agree: {len(findings)} of {len(findings)} invariants hold.")


async def run_check(database_url: str) -> Sequence[Finding]:
    """Checks the books of a database.

    Raises:
        UnusableDatabaseError: it is too old, or its schema is not the one of this version.
    """
    engine = create_engine(database_url, pool_size=1, application_name="ledger check")
    try:
        database = database_of(engine)
        async with database.single() as tx:
            await require_version(tx)
            await require_schema(tx)
        return await check_ledger(database)
    finally:
        await engine.dispose()


def line_of(finding: Finding) -> str:
    """A finding in a line."""
    mark = f"{finding.violation_count} BROKEN" if finding.violation_count else "ok"
    return f"{mark:>8} {finding.name}"

"""`guerdon work`: a process that does what is due; and what an operator has tried again."""

from __future__ import annotations

import click

from server.commands.counting import counted
from server.commands.mesh import asynchronous, find_mesh
from server.commands.retrying import retry_deliveries, retry_interactions


@click.group(invoke_without_command=True)
@click.pass_context
def work(context: click.Context) -> None:
    """Decides rewards and retries what failed, until it is told to stop."""
    if context.invoked_subcommand is not None:
        return
    # `retry` only calls the mesh, and starts without them.
    from server.commands.process import run_process  # noqa: PLC0415
    from server.working import work as run  # noqa: PLC0415

    run_process(run)


@work.command()
@click.option("--merchant", required=True, help="Whose: the merchant's id.")
@click.option("--interaction", help="Only this one; default: every dead one.")
@click.option("--delivery", help="Only this one; default: every dead one.")
@asynchronous
async def retry(merchant: str, interaction: str | None, delivery: str | None) -> None:
    """Has what is dead tried again: interactions to be decided, deliveries to be applied."""
    mesh = find_mesh()
    if delivery is None:
        count = await retry_interactions(mesh, merchant, interaction)
        click.echo(f"{counted(count, 'interaction is', 'interactions are')} decided again.")
    if interaction is None:
        count = await retry_deliveries(mesh, merchant, delivery)
        click.echo(f"{counted(count, 'delivery is', 'deliveries are')} applied again.")

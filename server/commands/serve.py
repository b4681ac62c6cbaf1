"""`guerdon serve`: a process that answers RPCs."""

from __future__ import annotations

import click

from server.commands.process import run_process


@click.command()
def serve() -> None:
    """Answers RPCs until it is told to stop."""
    # `--help` tells of it without them.
    from server.serving import AddressTakenError  # noqa: PLC0415
    from server.serving import serve as run  # noqa: PLC0415

    try:
        run_process(run)
    except AddressTakenError as taken:
        raise click.ClickException(str(taken)) from taken

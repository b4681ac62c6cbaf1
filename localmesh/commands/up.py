"""`guerdon up`: the whole mesh on this host, until Ctrl-C."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import click

from server.commands.settings import WrongConfigurationError

if TYPE_CHECKING:
    from localmesh.progress import Reporter
    from localmesh.stack import Stack

_PORT = click.IntRange(1, 65535)


@click.command()
@click.option(
    "--folder",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(".guerdon"),
    show_default=True,
    help="Where data, secrets and logs are kept. A later start goes on with them.",
)
@click.option(
    "--durable/--no-durable",
    default=True,
    show_default=True,
    help="Whether the database survives a crash of the machine. Off is faster, for trials.",
)
@click.option("--envoy/--no-envoy", "with_envoy", default=True, help="Whether Envoy is started.")
@click.option("--public-port", type=_PORT, help="The world's listener; 8080 or a free one.")
@click.option("--mesh-port", type=_PORT, help="The services' listener; 8081 or a free one.")
@click.option("--quiet", is_flag=True, help="Say only what goes wrong.")
def up(
    *,
    folder: Path,
    durable: bool,
    with_envoy: bool,
    public_port: int | None,
    mesh_port: int | None,
    quiet: bool,
) -> None:
    """Starts the whole mesh on this host and keeps it running until Ctrl-C.

    PostgreSQL, two server processes, one worker, and two Envoys in front of them: one for
    the world, one for the mesh. A part that dies is started again. With GUERDON_DATABASE_URL
    set, that database is used and none is started.
    """
    # The embedded parts are an extra: other commands run without them, and start faster.
    try:
        from localmesh.errors import StackError  # noqa: PLC0415
        from localmesh.given_settings import WrongSettingsError  # noqa: PLC0415
        from localmesh.stack import Stack  # noqa: PLC0415
    except ModuleNotFoundError as problem:
        missing = f"{problem}. Install what `up` starts: pip install 'guerdon[embedded]'"
        raise click.ClickException(missing) from problem

    reporter = _reporter(quiet=quiet)
    stack = Stack(
        folder=folder,
        environment=os.environ,
        reporter=reporter,
        durable=durable,
        with_envoy=with_envoy,
        public_port=public_port,
        mesh_port=mesh_port,
    )
    try:
        asyncio.run(_keep_running(stack, reporter, quiet=quiet))
    except WrongSettingsError as problem:
        raise WrongConfigurationError(str(problem)) from problem
    except StackError as problem:
        raise click.ClickException(str(problem)) from problem


async def _keep_running(stack: Stack, reporter: Reporter, *, quiet: bool) -> None:
    """From start to the first signal that asks for the end."""
    asked_to_stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    # SIGHUP: the terminal was closed.
    for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(each, asked_to_stop.set)

    starting = asyncio.create_task(stack.start())
    asking = asyncio.create_task(asked_to_stop.wait())
    with reporter.starting():
        await asyncio.wait({starting, asking}, return_when=asyncio.FIRST_COMPLETED)
        if not starting.done():
            # Stops what it had started, too.
            starting.cancel()
    try:
        with suppress(asyncio.CancelledError):
            await starting
            if not quiet:
                _write(_summary(stack))
            await asking
            if not quiet:
                _write("\nStopping …")
    finally:
        asking.cancel()
        await stack.stop()
    if not quiet:
        _write("Stopped. The data is kept; the next start goes on with it.")


def _summary(stack: Stack) -> str:
    """Where everything is, and what to do next. Without a secret in it."""
    database = urlsplit(stack.owner_url)
    place = f"{database.hostname}:{database.port}{database.path}"
    password = stack.folder / "postgres" / "password"
    token = stack.folder / "service.token"
    # Without Envoy there is no listener for the world.
    public = [("Public", f"{stack.public_url}   JSON, gRPC-Web and gRPC, for browsers and shops")]
    lines = [
        *(public if stack.public_url else []),
        ("Mesh", f"{stack.mesh_address}   gRPC and JSON, for services of your own"),
        ("Database", f"postgresql://{database.username}@{place}"),
        ("Password", str(password) if "postgres" in stack.processes else "in GUERDON_DATABASE_URL"),
        ("Token", str(token) if token.exists() else "in GUERDON_SERVICE_TOKEN"),
        ("Logs", str(stack.folder / "logs")),
    ]
    shown = [f"  {name:<10}{value}" for name, value in lines]
    return "\n".join(
        ["", *shown, "", "Next: `guerdon demo` in another terminal. Ctrl-C here stops everything."]
    )


def _reporter(*, quiet: bool) -> Reporter:
    from rich.console import Console  # noqa: PLC0415 - see `up`

    from localmesh.progress import (  # noqa: PLC0415
        LineReporter,
        SilentReporter,
        TerminalReporter,
    )

    if quiet:
        return SilentReporter(_write)
    console = Console()
    return TerminalReporter(console) if console.is_terminal else LineReporter(_write)


def _write(text: str) -> None:
    # Whoever listened may be gone, as behind `| head`; the stack goes on all the same.
    with suppress(OSError):
        click.echo(text)

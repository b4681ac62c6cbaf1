"""`guerdon status`: how a mesh is, on one screen."""

from __future__ import annotations

from pathlib import Path

import click
import orjson

from server.commands.database import named_database_url
from server.commands.mesh import FOLDER, asynchronous, named_mesh_address
from server.commands.settings import read_or_end
from server.running_stack import RunningStack, read_recorded
from server.settings.process import RateSettings
from server.status.asking import Places, ask
from server.status.printing import document_of, screen_of

_GIGABYTE = 10**9


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Everything, as one JSON document.")
@click.option(
    "--disk",
    "folders",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    multiple=True,
    help="A folder whose disk is looked at, several times for several. Default: the stack's.",
)
@click.option(
    "--free-min",
    type=click.FloatRange(min=0),
    default=5.0,
    show_default=True,
    metavar="GB",
    help="With less free, a disk is nearly full.",
)
@click.option(
    "--folder",
    type=click.Path(path_type=Path),
    default=FOLDER,
    show_default=True,
    help="Where `guerdon up` runs a stack.",
)
@asynchronous
async def status(as_json: bool, folders: tuple[Path, ...], free_min: float, folder: Path) -> None:
    """Tells how a mesh is: its processes, its database, and the shops that need a look.

    Asks the database of GUERDON_DATABASE_URL, and the mesh of GUERDON_MESH_ADDRESS if that is
    set; without them the stack that runs on this host. Exits with 1 if anything needs a look.
    """
    stack = read_recorded(folder)
    places = Places(
        database_url=_database_url(stack),
        mesh_address=named_mesh_address() or ("" if stack is None else stack.mesh_address),
        stack=stack,
        disk_folders=folders or (() if stack is None else (folder,)),
        disk_free_min_bytes=int(free_min * _GIGABYTE),
        rate_age_max=read_or_end(RateSettings).rate_age_max,
    )
    found = await ask(places)
    if as_json:
        click.echo(orjson.dumps(document_of(found), option=orjson.OPT_INDENT_2).decode())
    else:
        click.echo(screen_of(found))
    if not found.is_well:
        raise SystemExit(1)


def _database_url(stack: RunningStack | None) -> str:
    url = named_database_url()
    if url is not None:
        return url
    if stack is None:
        message = (
            "No stack runs here. Start one with `guerdon up`, or name a database with "
            "GUERDON_DATABASE_URL."
        )
        raise click.ClickException(message)
    return stack.database_url

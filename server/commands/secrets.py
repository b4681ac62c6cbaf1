"""`guerdon secrets`: what stored secrets are sealed with."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

import click

from infrastructure.database.engine import create_engine, database_of
from infrastructure.database.transaction import Database
from server.commands.counting import counted
from server.commands.database import explained_database_faults
from server.commands.settings import WrongConfigurationError, read_or_end
from server.connected import named
from server.preflight import KeyNotSharedError, UnusableDatabaseError
from server.settings.process import SecretsSettings
from server.wiring.sealing import Forgotten, KeyNotLostError, Rotation
from server.wiring.sealing import forget_lost as forget_all_lost
from server.wiring.sealing import rotate as seal_all_again
from vocabulary.ids import MerchantId

IDS_SHOWN = 10

Result = TypeVar("Result")


@click.group()
def secrets() -> None:
    """What stored secrets are sealed with."""


@secrets.command()
def rotate() -> None:
    """Seals every webhook key with the first key of GUERDON_SECRETS_KEY.

    First every process gets both keys, the old one in front; then the new one in front; then this
    is run, with the new one in front. It may be ended and run again, and says when the old key
    can go.
    """
    url, keys = _settings()
    done: Rotation = _run(url, lambda database: seal_all_again(database, keys))
    click.echo(f"Sealed again: the keys of {counted(done.count, 'webhook')}.")
    if done.unreadable:
        message = (
            f"The keys of {counted(len(done.unreadable), 'merchant')} are sealed with a key that "
            f"GUERDON_SECRETS_KEY does not name ({_listed(done.unreadable)}): add it at the end "
            "and run this again, or, if it is lost, see `guerdon secrets forget-lost`."
        )
        raise click.ClickException(message)
    if done.others:
        message = (
            f"No key can go yet, because {named(done.others)} would seal with another one than the "
            "first: start every process with the new key in front, then run this again."
        )
        raise click.ClickException(message)
    if done.forgotten is None:
        message = (
            "A process still seals with another key, so no key can go: start every process with "
            "the new key in front, then run this again."
        )
        raise click.ClickException(message)
    click.echo(_end(done.process_count))


def _end(process_count: int) -> str:
    if not process_count:
        return (
            "Nothing is sealed with another key, and no process is connected: the keys behind the "
            "first one can go, before any process is started with another one in front."
        )
    processes = counted(process_count, "connected process seals", "connected processes seal")
    return (
        f"Nothing is sealed with another key, and {processes} with the first one: the keys behind "
        "it can go."
    )


@secrets.command(name="forget-lost")
@click.option("--yes", is_flag=True, help="Forget, and do not ask before.")
def forget_lost(yes: bool) -> None:
    """Forgets the signing keys of shops that GUERDON_SECRETS_KEY cannot read.

    For when a key that they were sealed with is lost: processes refuse to start until then. Says
    first what will be gone, and asks. The owner of each shop then sets a new signing key.
    """
    url, keys = _settings()
    lost: Forgotten = _run(url, lambda database: forget_all_lost(database, keys, is_rehearsed=True))
    if not lost.merchants and not lost.previous_count and not lost.key_count:
        click.echo("Nothing is lost: GUERDON_SECRETS_KEY reads every signing key.")
        return
    click.echo(_warning(lost))
    if not yes:
        click.confirm("Forget them?", abort=True)
    done: Forgotten = _run(url, lambda database: forget_all_lost(database, keys))
    click.echo(f"Forgotten: the signing keys of {counted(len(done.merchants), 'shop')}.")
    for merchant_id in done.merchants:
        click.echo(f"  {merchant_id}")
    click.echo("Processes start with GUERDON_SECRETS_KEY as it is now.")


def _warning(lost: Forgotten) -> str:
    count = len(lost.merchants)
    shown = f" ({_listed(lost.merchants)})" if lost.merchants else ""
    told = [f"GUERDON_SECRETS_KEY cannot read the signing keys of {counted(count, 'shop')}{shown}."]
    if lost.previous_count:
        told.append(
            f"Of {counted(lost.previous_count, 'other')} it cannot read the key before the present "
            "one, with which the shop may still sign."
        )
    told.append(
        "Once they are forgotten there is no way back, also if the key is found. Webhooks of these "
        "shops are refused with WEBHOOK_NOT_FOUND until their owners set new signing keys with "
        "UpdateWebhook (POST /business/merchant/{id}/webhooks), and the shops sign with them."
    )
    return "\n".join(told)


def _listed(merchant_ids: Sequence[MerchantId]) -> str:
    more = len(merchant_ids) - IDS_SHOWN
    shown = [*map(str, merchant_ids[:IDS_SHOWN]), *([f"and {more} more"] if more > 0 else [])]
    return ", ".join(shown)


def _settings() -> tuple[str, tuple[str, ...]]:
    settings = read_or_end(SecretsSettings)
    return settings.database_url.get_secret_value(), settings.sealing_keys


def _run(url: str, work: Callable[[Database], Awaitable[Result]]) -> Result:
    async def run() -> Result:
        engine = create_engine(url, pool_size=1, application_name="secrets")
        try:
            return await work(database_of(engine))
        finally:
            await engine.dispose()

    try:
        with explained_database_faults():
            return asyncio.run(run())
    except UnusableDatabaseError as problem:
        raise WrongConfigurationError(str(problem)) from problem
    except (KeyNotSharedError, KeyNotLostError) as problem:
        raise click.ClickException(str(problem)) from problem

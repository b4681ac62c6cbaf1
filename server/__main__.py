"""`guerdon`, or `python -m server`: everything an operator types."""

from __future__ import annotations

from importlib import import_module

import click

# Where each command stands.
_COMMANDS = {
    "serve": "server.commands.serve",
    "work": "server.commands.work",
    "migrate": "server.commands.migrate",
    "up": "server.commands.up",
    "demo": "server.commands.demo",
    "merchant": "server.commands.merchant",
    "campaign": "server.commands.campaign",
    "rate": "server.commands.rate",
    "ledger": "server.commands.ledger",
    "envoy": "server.commands.envoy",
    "lane": "server.commands.lane",
    "delivery": "server.commands.delivery",
    "secrets": "server.commands.secrets",
    "status": "server.commands.status",
}


# What they need that is not installed with the rest. `up` and `envoy` find out for
# themselves, when they start.
_EXTRAS = {"demo": "demo"}


class _LazyGroup(click.Group):
    """Imports a command when it is asked for.

    A command that only calls the mesh starts in a quarter of the time that it takes to import
    what a server needs. See "Lazily Loading Subcommands" in click's documentation.
    """

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted([*super().list_commands(ctx), *_COMMANDS])

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return super().get_command(ctx, cmd_name)
        try:
            command: click.Command = getattr(import_module(_COMMANDS[cmd_name]), cmd_name)
        except ModuleNotFoundError as problem:
            if cmd_name not in _EXTRAS:
                raise
            install = f"pip install 'guerdon[{_EXTRAS[cmd_name]}]'"
            message = f"{problem}. Install what `{cmd_name}` needs: {install}"
            raise click.ClickException(message) from problem
        return command


@click.group(cls=_LazyGroup)
@click.version_option(package_name="guerdon")
def main() -> None:
    """Finds out who recommended a shop, and pays them."""


if __name__ == "__main__":
    main()

"""`guerdon`, or `python -m server`: everything an operator types."""

from __future__ import annotations

import click

from server.commands.campaign import campaign
from server.commands.demo import demo
from server.commands.ledger import ledger
from server.commands.merchant import merchant
from server.commands.processes import migrate, serve, work
from server.commands.rate import rate
from server.commands.up import up


@click.group()
def main() -> None:
    """Finds out who recommended a shop, and pays them."""


for command in (serve, work, migrate, up, demo, merchant, campaign, rate, ledger):
    main.add_command(command)

if __name__ == "__main__":
    main()

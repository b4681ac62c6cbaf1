"""Begins a migration: the next number, its name, and nothing in it yet."""

from __future__ import annotations

import re
import sys

from alembic import command
from alembic.config import Config

from infrastructure.database.schema import MIGRATIONS, expected_revision

NUMBER_DIGITS = 4


def main() -> None:
    """Writes the file for a name such as `wallets_have_labels` and prints where it is."""
    name = sys.argv[1] if len(sys.argv) > 1 else ""
    if re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", name) is None:
        print("Name what is so afterwards, like: make migration NAME=wallets_have_labels")
        raise SystemExit(2)
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.set_main_option("file_template", "%%(rev)s_%%(slug)s")
    number = f"{int(expected_revision()) + 1:0{NUMBER_DIGITS}}"
    command.revision(config, message=name.replace("_", " ").capitalize() + ".", rev_id=number)


if __name__ == "__main__":
    main()

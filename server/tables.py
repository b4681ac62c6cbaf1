"""All tables: a process knows of those alone whose modules it has imported."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from pkgutil import iter_modules

from sqlalchemy import Table

import domains
from infrastructure.database.repeated_call import repeated_call
from infrastructure.database.sealing_key import sealing_key


def _owned_by_domains() -> Iterator[Table]:
    """What stands in `tables` of any domain."""
    for domain in iter_modules(domains.__path__, "domains."):
        name = f"{domain.name}.tables"
        if find_spec(name) is not None:
            yield from (
                each for each in vars(import_module(name)).values() if isinstance(each, Table)
            )


EVERY_TABLE: tuple[Table, ...] = tuple(
    sorted((*_owned_by_domains(), repeated_call, sealing_key), key=lambda table: table.name)
)

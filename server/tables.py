"""All tables, by name: a process knows of those alone that it has imported."""

from __future__ import annotations

from sqlalchemy import Table

import infrastructure.database.repeated_call
import infrastructure.database.sealing_key  # noqa: F401 - like the others, for its table
from infrastructure.database.metadata import metadata

EVERY_TABLE: tuple[Table, ...] = tuple(sorted(metadata.tables.values(), key=lambda each: each.name))

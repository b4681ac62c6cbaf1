"""What every table hangs on."""

from __future__ import annotations

from sqlalchemy import MetaData, Table

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def columns_of(table: Table) -> str:
    """The columns of a table, each named with it, for a statement that reads them all.

    With `*` in their place, PostgreSQL refuses what it had prepared once a column is added, and
    calls fail while a newer version's migration runs.
    """
    return ", ".join(f"{table.name}.{column.name}" for column in table.columns)

"""The newest rows of some states: one shape for every list that is filtered so."""

from __future__ import annotations

from collections.abc import Sequence

_STATE = 'state COLLATE "C"'


def newest_of_states(
    table: str,
    key: str,
    *,
    leading: Sequence[str] = ("state", "merchant_id"),
    condition: str = "true",
) -> str:
    """A query of a table's rows in some states with keys in a range, a page of each state.

    Parameters: `states`, `first_id`, `end_id`, `limit`, and one of the name of each other column
    that stands before the key. The columns and the key are those of the index that serves it.

    One look-up for each state, from where the page begins, by an index that is all that can serve
    it. That the limit is not known when it is planned keeps PostgreSQL from reading all to sort it.
    """
    columns = [_STATE if each == "state" else each for each in leading]
    values = ", ".join("asked_state" if each == "state" else f":{each}" for each in leading)
    place = ", ".join([*columns, key])
    order = ", ".join(f"{each} DESC" for each in [*columns, key])
    return f"""
        SELECT known.* FROM unnest(:states) AS asked (asked_state) CROSS JOIN LATERAL (
            SELECT * FROM {table}
            WHERE {condition}
              AND ({place}) < ({values}, :end_id) AND ({place}) >= ({values}, :first_id)
            ORDER BY {order}
            LIMIT (SELECT CAST(:limit AS bigint))
        ) AS known
    """

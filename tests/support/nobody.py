"""What programs write where they have no id of a person, in several spellings."""

from __future__ import annotations

WORDS = (
    "undefined",
    "null",
    "NaN",
    "None",
    "nil",
    "[object Object]",
    "-1",
    "0",
    "guest",
    "anonymous",
    "00000000-0000-0000-0000-000000000000",
    "UNDEFINED",
    " null ",
)

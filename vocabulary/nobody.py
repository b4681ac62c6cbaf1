"""Words that are no one: what programs write where they have no id."""

from __future__ import annotations

_ABSENT = frozenset(
    {"", "null", "none", "nil", "undefined", "nan", "[object object]", "(null)", "<nil>"}
)
_NOBODY = _ABSENT | {
    "0",
    "-1",
    "guest",
    "anonymous",
    "00000000-0000-0000-0000-000000000000",
    "00000000000000000000000000000000",
    # What programs write for no wallet, and where tokens are burnt.
    "0x0000000000000000000000000000000000000000",
    "0x000000000000000000000000000000000000dead",
}


def is_nobody(text: str) -> bool:
    """Whether an id of a person, a browser, a customer or a message stands for none of them."""
    return text.strip().lower() in _NOBODY


def is_absent(text: str) -> bool:
    """Whether an id of anything is what a program writes when it has none.

    Narrower than `is_nobody`: an order may well be called `0`, and a shop's first one is.
    """
    return text.strip().lower() in _ABSENT

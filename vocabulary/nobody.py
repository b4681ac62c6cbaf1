"""Words that are no one: what programs write where they have no id."""

from __future__ import annotations

import re

_ABSENT = frozenset({"", "null", "none", "nil", "undefined", "nan", "nat", "n/a", "array"})
_NOBODY = _ABSENT | {
    "-1",
    "na",
    "guest",
    "anonymous",
    "unknown",
    "not set",
    "false",
    "true",
    # Where tokens are burnt.
    "0x000000000000000000000000000000000000dead",
}
# White space that programs do not take for any: the mark at a file's beginning, and what has no
# width.
_INVISIBLE = dict.fromkeys(map(ord, "\ufeff\u200b\u200c\u200d\u2060"))
_WRAPPING = " \t\r\n\xa0\"'`<>()[]{}"
# `[object Promise]`; a template that nobody filled in, as it stands or in an address.
_UNFILLED = re.compile(r"\[object \w+\]|.*(\{\{|\{%|\$\{|<%|%7b%7b).*", re.DOTALL)
# Zero, of any type: a number, an id of numbers, a wallet.
_ZERO = re.compile(r"(0x)?0+(\.0+)?|(0|f){8}(-(0|f){4}){3}-(0|f){12}|f{32}")


def is_nobody(text: str) -> bool:
    """Whether an id of a person, a browser, a customer or a message stands for none of them."""
    bare = _bare(text)
    return bare in _NOBODY or _ZERO.fullmatch(bare) is not None or _is_unfilled(text)


def is_absent(text: str) -> bool:
    """Whether an id of anything is what a program writes when it has none.

    Narrower than `is_nobody`: an order may well be called `0`, and a shop's first one is.
    """
    return _bare(text) in _ABSENT or _is_unfilled(text)


def _bare(text: str) -> str:
    """The word without what programs put around it: quotes, brackets, white space.

    Of a header that came twice, which proxies join, it is that of both.
    """
    words = {each.strip(_WRAPPING) for each in text.translate(_INVISIBLE).lower().split(",")}
    return words.pop() if len(words) == 1 else text


def _is_unfilled(text: str) -> bool:
    return _UNFILLED.fullmatch(text.strip().lower()) is not None

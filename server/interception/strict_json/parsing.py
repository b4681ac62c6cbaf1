"""Bytes to JSON values, with numbers as they were written and every key of an object."""

from __future__ import annotations

import json
import re
from typing import Any

NESTING_MAX = 32
"""How deep objects and lists may stand in each other; the deepest rule needs as many."""
TOO_DEEP = f"is nested more than {NESTING_MAX} deep"
VALUES_MAX = 20_000
"""How many values a body may have; the largest rule has fewer. Reading one costs microseconds."""

# To the end of the text if no quote ends it, so that each character is looked at once.
_TEXT = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*(?:"|\\?\Z)', re.DOTALL)
_BRACKET = re.compile(r"[\[\]{}]")
# What the decoder takes, whatever the interpreter lets it: that may be far more than a stack holds.
_DECODED_DEEP = 500


class Number(str):
    """A number as it was written, so that no digit is lost."""

    __slots__ = ()


class Constant(str):
    """`NaN` or an infinity, which Python reads and JSON does not know."""

    __slots__ = ()


class Pairs(list[tuple[str, Any]]):
    """An object: its keys in their order, with those that are there twice."""

    __slots__ = ()


class NotJsonError(Exception):
    """The bytes are no JSON object. The text says why, as the end of a sentence."""


_KINDS: dict[type, str] = {
    type(None): "null",
    bool: "true or false",
    Number: "a number",
    str: "text",
    Pairs: "an object",
    list: "a list",
}
_DECODER = json.JSONDecoder(
    object_pairs_hook=Pairs, parse_int=Number, parse_float=Number, parse_constant=Constant
)


def parse(data: bytes) -> Pairs:
    """The object that the bytes hold; no bytes at all are an object without keys.

    Raises:
        NotJsonError: they hold none.
    """
    try:
        text = data.decode()
    except UnicodeDecodeError as problem:
        message = f"is not UTF-8, from byte {problem.start} on"
        raise NotJsonError(message) from problem
    if text.startswith("\ufeff"):
        message = "begins with a byte order mark; leave it out"
        raise NotJsonError(message)
    if not text.strip(" \t\r\n"):
        return Pairs()
    if _values_in(text) > VALUES_MAX and _values_in(_TEXT.sub("", text)) > VALUES_MAX:
        message = f"has more than {VALUES_MAX:,} values"
        raise NotJsonError(message)
    if text.count("[") + text.count("{") > _DECODED_DEEP and _depth_of(text) > _DECODED_DEEP:
        raise NotJsonError(TOO_DEEP)
    try:
        value = _DECODER.decode(text)
    except json.JSONDecodeError as problem:
        raise NotJsonError(_said_of(problem)) from problem
    except RecursionError as problem:
        raise NotJsonError(TOO_DEEP) from problem
    if not isinstance(value, Pairs):
        message = f"must be an object in braces, and is {kind_of(value)}"
        raise NotJsonError(message)
    return value


def _depth_of(text: str) -> int:
    """How deep brackets stand in each other, those in texts left out."""
    depth = deepest = 0
    for mark in _BRACKET.findall(_TEXT.sub("", text)):
        depth += 1 if mark in "[{" else -1
        deepest = max(depth, deepest)
    return deepest


def kind_of(value: object) -> str:
    """What a JSON value is, in words."""
    if isinstance(value, Constant):
        return f"{value}, which JSON does not know"
    return _KINDS[type(value)]


def is_encodable(text: str) -> bool:
    """Whether UTF-8 has the text: half of a pair of surrogates is no character."""
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _values_in(text: str) -> int:
    """At least as many values as JSON has, and a bound to what parsing it costs."""
    return 1 + text.count(",") + text.count("[") + text.count("{")


def _said_of(problem: json.JSONDecodeError) -> str:
    place = f"at line {problem.lineno}, column {problem.colno}"
    if problem.msg == "Extra data":
        return f"goes on after its end, {place}"
    said = f"{problem.msg[0].lower()}{problem.msg[1:]}".removesuffix(" at")
    return f"is not JSON: {said} {place}"

"""Which key was meant by one that is not known."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

KEY_CHARACTERS_MAX = 64
"""For a longer key nothing is looked for; no key of the contract is half as long."""
HINTS_MAX = 3

# What a slip costs. A letter that is missing, doubled or swapped with its neighbour is likelier
# than another letter in its place.
_SLIP, _OTHER = 2, 3
_FAR = 1_000
_SLIPS_MAX = 2
_LONG = 6
"""Keys of so many letters may have two slips, shorter ones one."""


class KeyHints:
    """The keys of one message, by all their spellings."""

    def __init__(self, spellings: Mapping[str, Iterable[str]]) -> None:
        """Takes each key with its other spellings."""
        self._keys: dict[str, str] = {}
        for key in spellings:
            self._keys.setdefault(_plain(key), key)
        for key, others in spellings.items():
            for other in others:
                self._keys.setdefault(_plain(other), key)
        self._letters = {plain: Counter(plain) for plain in self._keys}

    def nearest(self, key: str) -> list[str]:
        """The known keys that differ least from `key`; none if all differ much."""
        if len(key) > KEY_CHARACTERS_MAX:
            return []
        plain = _plain(key)
        if plain in self._keys:
            return [self._keys[plain]]
        letters = Counter(plain)
        cost_max = _SLIPS_MAX * _OTHER if len(plain) >= _LONG else _OTHER
        found: dict[str, int] = {}
        for known, name in self._keys.items():
            # Cheap, and true of all but a few.
            if abs(len(known) - len(plain)) > _SLIPS_MAX:
                continue
            if _apart(letters, self._letters[known]) > 2 * _SLIPS_MAX:
                continue
            cost = _cost(plain, known)
            if cost <= min(cost_max, found.get(name, _FAR)):
                found[name] = cost
        least = min(found.values(), default=0)
        return [name for name, cost in found.items() if cost == least][:HINTS_MAX]


def _plain(key: str) -> str:
    """What is the same however a key is spelled: `max_amount`, `maxAmount`, `max-amount`."""
    return key.replace("_", "").replace("-", "").replace(" ", "").lower()


def _apart(one: Counter[str], other: Counter[str]) -> int:
    """How many letters one has and the other lacks, both ways."""
    return (one - other).total() + (other - one).total()


def _cost(typed: str, known: str) -> int:
    """What it costs to turn `known` into `typed` by slips, each pair of letters swapped once."""
    width = len(typed)
    before: list[int] = []
    last = [_OTHER * column for column in range(width + 1)]
    for row, letter in enumerate(known, start=1):
        current = [_SLIP * row] + [_FAR] * width
        # Each slip shifts by one place at the most.
        for column in range(max(1, row - _SLIPS_MAX), min(width, row + _SLIPS_MAX) + 1):
            sent = typed[column - 1]
            doubled = column > 1 and typed[column - 2] == sent
            best = min(
                last[column] + _SLIP,
                current[column - 1] + (_SLIP if doubled else _OTHER),
                last[column - 1] + (0 if sent == letter else _OTHER),
            )
            if row > 1 and column > 1 and sent == known[row - 2] and typed[column - 2] == letter:
                best = min(best, before[column - 2] + _SLIP)
            current[column] = best
        before, last = last, current
    return last[width]

"""The time zones of the world, by their names in the IANA database."""

from __future__ import annotations

from functools import cache
from zoneinfo import available_timezones

# What these mean is up to the host that reads them, or nobody lives there.
_OF_THE_HOST = frozenset({"localtime", "posixrules", "Factory"})


def is_time_zone(name: str) -> bool:
    """Whether it names a zone that means the same on every host."""
    return name in _names()


@cache
def _names() -> frozenset[str]:
    return frozenset(available_timezones()) - _OF_THE_HOST

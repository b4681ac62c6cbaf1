"""Settings of the edge as an operator writes them, in the environment or on a command line."""

from __future__ import annotations

import re
from collections.abc import Mapping

from infrastructure.rpc.rate_class import RateClass
from server.edge.settings import RateLimit, check_origins

# Whoever trusts more proxies than this has mistaken the number for something else.
TRUSTED_HOPS_MAX = 10
PORT_MAX = 65_535
_RATE_LIMIT = re.compile(r"([a-z]+)=([1-9][0-9]{0,6})/([1-9][0-9]{0,6})")


def read_rate_limits(text: str) -> Mapping[RateClass, RateLimit]:
    """Rate limits like `tracking=2000/4000, probe=50/100`: calls a second / calls at once.

    Raises:
        ValueError: the text is none; the message says what is wrong and what is allowed.
    """
    classes = {rate_class.name.lower(): rate_class for rate_class in RateClass}
    limits: dict[RateClass, RateLimit] = {}
    for each in read_list(text):
        written = _RATE_LIMIT.fullmatch(each)
        if written is None or written[1] not in classes:
            message = (
                f"{each} must be like tracking=2000/4000, calls a second and calls at once, of "
                f"one of {', '.join(classes)}"
            )
            raise ValueError(message)
        rate_class = classes[written[1]]
        if rate_class in limits:
            message = f"{written[1]} is named twice"
            raise ValueError(message)
        limits[rate_class] = RateLimit(per_second=int(written[2]), burst=int(written[3]))
    return limits


def read_trusted_hops(text: str) -> int:
    """How many proxies in front of Envoy are trusted; none when nothing is written.

    Raises:
        ValueError: the text is no such number.
    """
    if not text:
        return 0
    if not re.fullmatch(r"[0-9]{1,2}", text) or int(text) > TRUSTED_HOPS_MAX:
        message = f"{text} must be a whole number from 0 to {TRUSTED_HOPS_MAX}"
        raise ValueError(message)
    return int(text)


def read_origins(text: str) -> tuple[str, ...]:
    """Exact origins, like `https://dash.example`.

    Raises:
        ValueError: one is none.
    """
    origins = read_list(text)
    check_origins(origins)
    return origins


def read_endpoint(text: str) -> tuple[str, int]:
    """Where a server listens, like `10.0.0.7:50051`; IPv6 in brackets.

    Raises:
        ValueError: it is none.
    """
    host, _, port = text.rpartition(":")
    is_bare = ":" in host and not (host.startswith("[") and host.endswith("]"))
    if not host or is_bare or not port.isascii() or not port.isdecimal() or int(port) > PORT_MAX:
        message = f"{text} must be like 10.0.0.7:50051, an address and a port"
        raise ValueError(message)
    return host.strip("[]"), int(port)


def read_list(text: str) -> tuple[str, ...]:
    """What stands between commas."""
    return tuple(each.strip() for each in text.split(",") if each.strip())

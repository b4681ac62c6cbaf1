"""Settings of the edge as an operator writes them, in the environment or on a command line."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from ipaddress import ip_address

from infrastructure.rpc.rate_class import RateClass
from server.edge.rate_limit import RateLimit, default_rate_limits

# Whoever trusts more proxies than this has mistaken the number for something else.
TRUSTED_HOPS_MAX = 10
PORT_MAX = 65_535
_ORIGIN = re.compile(r"https?://[^/\s*]+")
_NAME = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_.-]{0,251}[A-Za-z0-9_])?")
_RATE_LIMIT = re.compile(r"([a-z]+)=([1-9][0-9]{0,6})/([1-9][0-9]{0,6})")


def read_changed_rate_limits(text: str) -> Mapping[RateClass, RateLimit]:
    """Those of all callers together: the usual ones, but for the classes that are named.

    Raises:
        ValueError: the text is none; the message says what is wrong and what is allowed.
    """
    return {**default_rate_limits(), **read_rate_limits(text)}


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


def check_origins(origins: Sequence[str]) -> None:
    """Refuses what no browser sends as its origin, and so would never match.

    Raises:
        ValueError: one of them has a path, a slash at its end, or a wildcard.
    """
    for origin in origins:
        if _ORIGIN.fullmatch(origin) is None:
            message = (
                f"{origin} must be an exact origin like https://dash.example, without a path "
                "and without a wildcard"
            )
            raise ValueError(message)


def read_endpoint(text: str) -> tuple[str, int]:
    """Where a server listens, like `10.0.0.7:50051`, an address or a name; IPv6 in brackets.

    Raises:
        ValueError: it is none.
    """
    host, _, port = text.rpartition(":")
    is_bracketed = host.startswith("[") and host.endswith("]")
    is_host = _is_address(host[1:-1]) if is_bracketed else _is_address_or_name(host)
    is_port = re.fullmatch(r"[0-9]{1,5}", port) is not None and 0 < int(port) <= PORT_MAX
    if not is_host or not is_port:
        message = f"{text} must be like 10.0.0.7:50051, an address and a port"
        raise ValueError(message)
    return host.strip("[]"), int(port)


def read_listener(text: str) -> tuple[str, int]:
    """Where Envoy listens, like `0.0.0.0:8080`: an address of its host, and no name.

    Raises:
        ValueError: it is none.
    """
    host, port = read_endpoint(text)
    if not _is_address(host):
        message = f"{text} must be like 0.0.0.0:8080: Envoy listens at an address, not at a name"
        raise ValueError(message)
    return host, port


def read_list(text: str) -> tuple[str, ...]:
    """What stands between commas."""
    return tuple(each.strip() for each in text.split(",") if each.strip())


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    # An IPv6 address that names an interface is of one host only.
    return "%" not in text


def _is_address_or_name(text: str) -> bool:
    """Whether it is an IPv4 address or a name. What ends in a number is no name."""
    if ":" in text:
        return False
    return _is_address(text) or (
        _NAME.fullmatch(text) is not None and not text.rpartition(".")[2].isdecimal()
    )

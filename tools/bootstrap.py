"""Makes envoy/bootstrap.json from envoy/descriptors.binpb. Run by `make gen`, after gen.py."""

from __future__ import annotations

from pathlib import Path

from server.edge.bootstrap import bootstrap_json, build_bootstrap
from server.edge.settings import EdgeSettings

ENVOY = Path(__file__).resolve().parent.parent / "envoy"


def main() -> None:
    """Writes the configuration with the default settings."""
    descriptors = (ENVOY / "descriptors.binpb").read_bytes()
    bootstrap = build_bootstrap(EdgeSettings(), descriptors)
    (ENVOY / "bootstrap.json").write_text(bootstrap_json(bootstrap))


if __name__ == "__main__":
    main()

"""Makes what is committed of Envoy's, from envoy/descriptors.binpb. Run by `make gen`.

server/edge/edge.binpb is its copy of the contract, a part of the package. envoy/public.json and
envoy/mesh.json show what the contract and the defaults make of the configurations of both Envoys,
so that changes are seen; Envoys are started with what `guerdon up` or `guerdon envoy configure`
writes.
"""

from __future__ import annotations

from pathlib import Path

from server.edge.bootstrap import bootstrap_json, build_bootstrap
from server.edge.cluster import DOORS
from server.edge.contract_copy import contract_copy
from server.edge.settings import CONTRACT_COPY, EdgeSettings

ENVOY = Path(__file__).resolve().parent.parent / "envoy"


def main() -> None:
    copy = contract_copy((ENVOY / "descriptors.binpb").read_bytes())
    CONTRACT_COPY.write_bytes(copy)
    for door in DOORS:
        content = bootstrap_json(build_bootstrap(EdgeSettings(), door, copy))
        (ENVOY / f"{door.name}.json").write_text(content)


if __name__ == "__main__":
    main()

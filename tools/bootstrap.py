"""Makes what is committed of Envoy's, from envoy/descriptors.binpb. Run by `make gen`.

server/edge/edge.binpb is its copy of the contract, a part of the package. envoy/bootstrap.json
shows what the contract and the defaults make of its configuration, so that changes are seen; an
Envoy is started with what `guerdon up` or `guerdon envoy configure` writes.
"""

from __future__ import annotations

from pathlib import Path

from server.edge.bootstrap import bootstrap_json, build_bootstrap
from server.edge.contract_copy import contract_copy
from server.edge.settings import CONTRACT_COPY, EdgeSettings

ENVOY = Path(__file__).resolve().parent.parent / "envoy"


def main() -> None:
    copy = contract_copy((ENVOY / "descriptors.binpb").read_bytes())
    CONTRACT_COPY.write_bytes(copy)
    text = bootstrap_json(build_bootstrap(EdgeSettings(), copy))
    (ENVOY / "bootstrap.json").write_text(text)


if __name__ == "__main__":
    main()

"""Every route of the golden file leads to its method, on both listeners."""

from __future__ import annotations

import re

import pytest

from tests.server.edge.running import ROOT, Edge

GOLDEN = ROOT / "tests" / "golden" / "routes.txt"
ROUTES = [
    (parts[0], parts[1], parts[2])
    for parts in (line.split() for line in GOLDEN.read_text().splitlines())
    if parts and parts[0] != "internal"
]


@pytest.mark.parametrize("listener", ["public", "mesh"])
@pytest.mark.parametrize(("path", "verb", "method"), ROUTES)
async def test_a_route_leads_to_its_method(
    edge: Edge, listener: str, path: str, verb: str, method: str
) -> None:
    """A method would be promised to everybody and reached by nobody."""
    client = edge.public if listener == "public" else edge.mesh
    where = re.sub(r"{(\w+)}", r"value-of-\1", path)

    answer = await client.request(verb, where, content=b"{}" if verb == "POST" else None)

    assert answer.status_code == 200, answer.text
    [seen] = edge.backend.seen
    assert seen.path == f"/{method}"
    for name in re.findall(r"{(\w+)}", path):
        assert getattr(seen.request, name) == f"value-of-{name}"

"""All of the demo's story, 6,919 orders, while parts of the mesh are killed.

Not among the tests of `make test`, which tells its beginning: it takes two minutes.
Run it with `make test T=tests/end_to_end/whole_demo.py`.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from localmesh.stack import Stack
from tests.end_to_end.test_demo import GOLDEN, LIMIT_SECONDS, told_with_kills


@pytest.mark.timeout(LIMIT_SECONDS + 60)
async def test_the_whole_story_ends_alike_whoever_is_killed_on_the_way(
    stack: Stack, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """Somebody's rewards would depend on whether a process died while they were decided."""
    told = await told_with_kills(stack, tmp_path)
    told.holds(GOLDEN / "demo.txt", is_rewritten=request.config.getoption("--update-golden"))
    assert told.bound_count >= 2, "the budget binds in two months or more"

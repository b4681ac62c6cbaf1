"""What a stranger does to itself and to nobody else. Run by `make attack`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from localmesh.stack import Stack
from server.edge.overload import HEAP_BYTES_MAX
from tests.attacks.callers import (
    Call,
    Calls,
    Memory,
    attacked,
    calling,
    is_back,
    p99_max,
    quiet,
    recovered,
)

# Two strangers at once are to stay below the first reset, and what else Envoy holds with them.
PEAK_BYTES_MAX = HEAP_BYTES_MAX // 3


@pytest.mark.parametrize(
    "name", ["headers", "bodies", "empty", "unfinished", "pieces", "untaken", "reset"]
)
async def test_an_attack_harms_nobody_else(
    stack: Stack,
    calls: list[Call],
    usual: Calls,
    memory: Callable[[], Awaitable[Memory]],
    tell: Callable[[str], None],
    name: str,
) -> None:
    """One stranger without a credential could stop everybody else."""
    before = await memory()

    harm = await attacked(name, stack.public_url.removeprefix("http://"), calls, memory)
    after = await recovered(before, memory)

    told = (
        f"{name}: attacker {dict(harm.attacker)}; {len(harm.calls.seconds)} normal calls, "
        f"{harm.calls.failures.total()} failed, p99 {harm.calls.p99 * 1000:.0f} ms "
        f"(quiet {usual.p99 * 1000:.0f} ms); allocated {before.allocated >> 20} → "
        f"{harm.peak.allocated >> 20} → {after.allocated >> 20} MiB, resident "
        f"{before.resident >> 20} → {harm.peak.resident >> 20} → {after.resident >> 20} MiB"
    )
    tell(told)
    assert not harm.calls.failures, (told, harm.calls.failures)
    assert harm.calls.p99 < p99_max(usual), told
    assert is_back(before, after), told
    assert harm.peak.allocated < PEAK_BYTES_MAX, told
    assert harm.attacker["silence"] == 0, told


@pytest.mark.parametrize("name", ["refused", "waiting"])
async def test_a_flood_of_the_world_does_not_reach_the_mesh(
    stack: Stack,
    calls: list[Call],
    mesh_call: Call,
    usual: Calls,
    memory: Callable[[], Awaitable[Memory]],
    tell: Callable[[str], None],
    name: str,
) -> None:
    """One stranger could keep services and operators from each other, too."""
    target = stack.public_url.removeprefix("http://")
    in_the_mesh = await quiet([mesh_call])

    async with calling(calls[:-1]) as of_the_world:
        harm = await attacked(name, target, [mesh_call], memory)

    told = (
        f"{name}: attacker {dict(harm.attacker)}; {len(harm.calls.seconds)} calls of the mesh, "
        f"{harm.calls.failures.total()} failed, p99 {harm.calls.p99 * 1000:.0f} ms (quiet "
        f"{in_the_mesh.p99 * 1000:.0f} ms); {len(of_the_world.seconds)} of the world, "
        f"{of_the_world.failures.total()} failed, p99 {of_the_world.p99 * 1000:.0f} ms; allocated "
        f"{harm.peak.allocated >> 20} MiB"
    )
    tell(told)
    assert not harm.calls.failures, (told, harm.calls.failures)
    assert harm.calls.p99 < p99_max(usual), told
    # Whoever shares the listener waits for its turn, and gets it.
    assert not of_the_world.failures, (told, of_the_world.failures)
    assert harm.peak.allocated < HEAP_BYTES_MAX, told

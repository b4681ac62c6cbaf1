from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from localmesh.processes import Child, Supervisor
from tests.support.files import ROOT
from tests.support.processes import is_alive, wait_until


def a_child(name: str = "child", *, script: str = "exec sleep 60") -> Child:
    return Child(
        name=name,
        command=("/bin/sh", "-c", script),
        environment={"PATH": os.defpath},
        folder=Path("/"),
    )


@asynccontextmanager
async def a_supervisor(
    log_folder: Path, *, said: list[str] | None = None, stop_timeout_seconds: float = 5
) -> AsyncIterator[Supervisor]:
    lines: list[str] = [] if said is None else said
    supervisor = Supervisor(
        log_folder=log_folder,
        say=lines.append,
        on_change=lambda: None,
        first_delay_seconds=0.05,
        stop_timeout_seconds=stop_timeout_seconds,
    )
    try:
        yield supervisor
    finally:
        await supervisor.stop_all()


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while True:
            if holds():
                return
            await asyncio.sleep(0.01)


async def test_a_killed_child_is_started_again_and_it_is_said(tmp_path: Path) -> None:
    """A crash of one part would take the mesh down until somebody notices."""
    said: list[str] = []
    async with a_supervisor(tmp_path, said=said) as supervisor:
        await supervisor.start(a_child())
        killed = supervisor.processes["child"].pid
        os.kill(killed, signal.SIGKILL)
        await until(lambda: supervisor.processes["child"].pid != killed)

        assert is_alive(supervisor.processes["child"].pid)
        assert "child ended unexpectedly (ended by SIGKILL); starting it again in 0.05 s" in said[0]


async def test_a_child_that_keeps_dying_is_started_ever_later(tmp_path: Path) -> None:
    """A part that cannot start would use up a processor by starting."""
    said: list[str] = []
    async with a_supervisor(tmp_path, said=said) as supervisor:
        await supervisor.start(a_child(script="exit 7"))
        await until(lambda: supervisor.processes["child"].failure_count >= 3)

    announced = [line for line in said if "exit code 7" in line]
    assert [line.partition(" again in ")[2].partition(" s.")[0] for line in announced[:3]] == [
        "0.05",
        "0.1",
        "0.2",
    ]


async def test_everything_is_stopped_in_reverse_order(tmp_path: Path) -> None:
    """Servers would lose their database while they finish their calls."""
    order = tmp_path / "order"
    noting = "trap 'echo {0} >> {1}; exit' TERM; echo ready; while :; do sleep 0.02; done"
    children = [a_child(name, script=noting.format(name, order)) for name in ("one", "two")]
    async with a_supervisor(tmp_path) as supervisor:
        for child in children:
            await supervisor.start(child)
        await until(
            lambda: all((tmp_path / f"{each.name}.log").stat().st_size for each in children)
        )
        pids = [process.pid for process in supervisor.processes.values()]

    assert order.read_text().split() == ["two", "one"]
    assert not any(is_alive(pid) for pid in pids)


async def test_a_child_that_will_not_end_is_killed_with_its_own_children(tmp_path: Path) -> None:
    """Ctrl-C would hang, or leave processes behind that nobody knows of."""
    stubborn = "trap '' TERM; sh -c \"trap '' TERM; sleep 60\" & echo $!; wait; sleep 60"
    async with a_supervisor(tmp_path, stop_timeout_seconds=0.2) as supervisor:
        await supervisor.start(a_child(script=stubborn))
        log = tmp_path / "child.log"
        await until(lambda: bool(log.read_text().strip()))
        pids = [supervisor.processes["child"].pid, int(log.read_text())]
        await supervisor.stop_all()

    await until(lambda: not any(is_alive(pid) for pid in pids))


async def test_stopping_ends_what_was_waiting_to_be_started_again(tmp_path: Path) -> None:
    """A child that had just died would be started by a supervisor that is gone."""
    before = asyncio.all_tasks()
    async with a_supervisor(tmp_path) as supervisor:
        await supervisor.start(a_child(script="exit 1"))
        await until(lambda: supervisor.processes["child"].failure_count > 0)

    assert asyncio.all_tasks() <= before, "somebody still waits to start it"


async def test_a_restart_is_no_failure(tmp_path: Path) -> None:
    """An operator's restart would be announced as a crash, and slowed down like one."""
    said: list[str] = []
    async with a_supervisor(tmp_path, said=said) as supervisor:
        await supervisor.start(a_child())
        before = supervisor.processes["child"].pid
        await supervisor.restart("child")

        after = supervisor.processes["child"]
        assert after.pid != before
        assert is_alive(after.pid)
        assert not is_alive(before)
        assert (after.failure_count, said) == (0, [])


async def test_a_child_sees_its_own_environment_and_no_terminal(tmp_path: Path) -> None:
    """A setting of our shell would change a part; Ctrl-C would reach it before its turn."""
    # The sixth word of its status is its session.
    child = a_child(script='env; cat; echo "$(cut -d" " -f6 /proc/$$/stat) $$"')
    async with a_supervisor(tmp_path) as supervisor:
        assert await supervisor.run(child) == 0

    *environment, session = (tmp_path / "child.log").read_text().splitlines()
    assert not [line for line in environment if line.startswith("HOME=")]
    assert len(set(session.split())) == 1, "not the leader of a session of its own"


def test_children_go_when_the_supervisor_is_killed(tmp_path: Path) -> None:
    """After `kill -9`, servers would stay behind: on their ports, and working on the data."""
    supervisor = subprocess.Popen(
        [sys.executable, "-c", SUPERVISOR, str(tmp_path)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    assert supervisor.stdout is not None
    pids = json.loads(supervisor.stdout.readline())
    assert all(is_alive(pid) for pid in pids)
    supervisor.kill()
    supervisor.wait()
    supervisor.stdout.close()

    wait_until(lambda: not any(is_alive(pid) for pid in pids), what="the end of the children")


SUPERVISOR = """
import asyncio, json, sys
from pathlib import Path
from localmesh.processes import Child, Supervisor

async def main():
    supervisor = Supervisor(log_folder=Path(sys.argv[1]), say=print, on_change=lambda: None)
    for name in ("one", "two"):
        # Deaf to every polite request.
        command = ("/bin/sh", "-c", "trap '' TERM INT HUP; sleep 30")
        await supervisor.start(
            Child(name=name, command=command, environment={}, folder=Path("/"))
        )
    print(json.dumps([each.pid for each in supervisor.processes.values()]), flush=True)
    await asyncio.sleep(60)

asyncio.run(main())
"""

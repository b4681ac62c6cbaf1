"""What the machine does with the same rows and nothing of ours: pgbench on the same database."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import unquote, urlsplit

from localmesh.postgres import find_binaries

SCRIPTS = Path(__file__).parent / "floors"
CLIENTS = 16
SECONDS = 5
_TPS = re.compile(r"tps = ([0-9.]+)")


async def pgbench(
    script: str, *, database_url: str, variables: Mapping[str, str], clients: int = CLIENTS
) -> float:
    """Transactions a second of a script of `bench/floors`, prepared, one thread."""
    url = urlsplit(database_url)
    settings = [f"-D{name}={value}" for name, value in variables.items()]
    process = await asyncio.create_subprocess_exec(
        str(find_binaries() / "pgbench"),
        "--no-vacuum",
        f"--host={url.hostname}",
        f"--port={url.port}",
        f"--username={url.username}",
        "--protocol=prepared",
        f"--client={clients}",
        "--jobs=1",
        f"--time={SECONDS}",
        f"--file={SCRIPTS / script}",
        *settings,
        url.path.lstrip("/"),
        env={"PGPASSWORD": unquote(url.password or ""), "PATH": "/usr/bin:/bin"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    output, errors = await process.communicate()
    found = _TPS.search(output.decode())
    if process.returncode != 0 or found is None:
        message = f"pgbench failed: {errors.decode()[:500]}"
        raise RuntimeError(message)
    return float(found[1])

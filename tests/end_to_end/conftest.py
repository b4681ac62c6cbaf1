"""The whole mesh, as `guerdon up` runs it: PostgreSQL, two servers, a worker, Envoy."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from localmesh.progress import SilentReporter
from localmesh.stack import Stack


@pytest.fixture(scope="package")
async def stack(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    """A running mesh of the tests' own. Durable, because parts of it are killed."""
    folder: Path = tmp_path_factory.mktemp("mesh") / ".guerdon"
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("GUERDON_")
    }
    said: list[str] = []
    async with Stack(
        folder=folder,
        environment={
            **environment,
            "GUERDON_DRAIN_SECONDS": "0.5",
            "GUERDON_LOG_LEVEL": "debug",
            # All shops, visitors and commands have one address here.
            "GUERDON_ADDRESS_RATE_LIMITS": "probe=2000/4000, tracking=2000/4000, webhook=2000/4000",
        },
        reporter=SilentReporter(said.append),
    ) as running:
        yield running

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.server.edge.backend import Backend, running_process
from tests.server.edge.running import DESCRIPTORS, Edge, running_edge, settings_for


@pytest.fixture(scope="package")
async def running(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Edge]:
    """One Envoy and one server for all tests of the folder that ask for no other."""
    backend = Backend(DESCRIPTORS.read_bytes())
    folder = tmp_path_factory.mktemp("envoy")
    async with (
        running_process(backend) as process,
        running_edge(settings_for([process.port]), backend, folder) as edge,
    ):
        yield edge


@pytest.fixture
async def edge(running: Edge) -> Edge:
    """The Envoy, with a server that has forgotten what came before.

    Between two tests nothing answers, so that Envoy may think that its server is gone.
    """
    running.backend.forget()
    await running.until(200)
    running.backend.seen.clear()
    return running

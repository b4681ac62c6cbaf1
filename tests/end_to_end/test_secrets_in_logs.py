"""What no log of a mesh holds, whatever level its processes log at."""

from __future__ import annotations

import asyncio
from pathlib import Path
from uuid import uuid4

import httpx
from sqlalchemy.engine import make_url

from localmesh.probes import read_admin
from localmesh.stack import Stack
from tests.end_to_end.shop import KEY, open_shop


async def test_no_log_of_a_mesh_holds_a_secret(stack: Stack) -> None:
    """Whoever may read logs could call as a service, as a shop or as a visitor."""
    client_id = str(uuid4())
    async with (
        httpx.AsyncClient(base_url=stack.public_url) as public,
        httpx.AsyncClient(
            base_url=stack.mesh_url, headers={"x-service-auth": stack.service_token}
        ) as mesh,
    ):
        shop = await open_shop(stack, public, mesh)
        await shop.arrive(client_id)
        await shop.claim(client_id, "quiet")
        await shop.deliver("quiet")
        refused = await public.post(
            f"/user/track/nothing?token={KEY}",
            json={client_id: KEY},
            headers={"x-service-auth": stack.service_token, "x-client-id": client_id},
        )
        assert refused.status_code == 404
        refused = await mesh.post(
            f"/business/merchant/{shop.merchant_id}/campaigns", json={KEY: KEY}
        )
        assert refused.status_code == 400
    # Nobody can have Envoy tell more.
    for socket in stack.admin_sockets.values():
        status, _ = await asyncio.to_thread(
            read_admin, Path(socket), "/logging?level=trace", verb="POST"
        )
        assert status == 403

    logs = {path.name: path.read_text() for path in (stack.folder / "logs").iterdir()}
    assert '"fields":["…","campaign"]' in "".join(logs.values())
    password = make_url(stack.database_url).password
    secrets = [client_id, KEY, stack.service_token, str(password)]
    found = {name for name, said in logs.items() for each in secrets if each in said}
    assert found == set()

"""What Envoy writes down of answers that it gave by itself, and of nothing else."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx
import pytest

from server.edge.command_line import WITHOUT_HEADERS
from tests.server.edge.backend import Backend, running_process
from tests.server.edge.running import (
    DESCRIPTORS,
    Edge,
    free_ports,
    running_edge,
    settings_for,
    status_of,
)

SECRET = "token-that-nobody-may-read"
SECRET_HEADERS = (
    *("x-service-auth", "x-client-id", "authorization", "cookie"),
    *("x-hmac-sha256", "x-webhook-signature", "webhook-signature"),
)
# Envoy keeps its lines for a moment before it writes them.
LINE_SECONDS_MAX = 10


async def line_of(edge: Edge, request_id: str) -> dict[str, Any]:
    async with asyncio.timeout(LINE_SECONDS_MAX):
        while True:
            for line in edge.log.splitlines():
                if line.startswith("{") and request_id in line:
                    found: dict[str, Any] = json.loads(line)
                    return found
            await asyncio.sleep(0.1)


def named(request_id: str) -> dict[str, str]:
    return {"x-request-id": request_id, "x-service-auth": SECRET, "x-client-id": SECRET}


@pytest.mark.parametrize("listener", ["public", "mesh"])
async def test_a_path_that_leads_nowhere_leaves_a_line(edge: Edge, listener: str) -> None:
    """Nobody would learn that a shop calls a path which is misspelt."""
    client: httpx.AsyncClient = getattr(edge, listener)
    request_id = f"nowhere-{listener}"
    path = "/nowhere/" + "x" * 200
    answer = await client.get(f"{path}?token={SECRET}", headers=named(request_id))
    assert answer.status_code == 404

    line = await line_of(edge, request_id)

    assert line.pop("timestamp")
    assert line.pop("milliseconds") >= 0
    assert line.pop("why")
    assert line == {
        "event": "answered by envoy",
        "listener": listener,
        "verb": "GET",
        "path": path[:100],
        "status": 404,
        "flags": "-",
        "request_id": request_id,
    }
    assert SECRET not in edge.log


async def test_a_body_that_is_too_large_leaves_a_line(edge: Edge) -> None:
    """A shop's report would be missing, and no log know of it."""
    answer = await edge.public.post(
        "/user/track/arrival", content=b"x" * 300_000, headers=named("too-large")
    )
    assert answer.status_code == 413

    line = await line_of(edge, "too-large")

    assert (line["status"], line["verb"], line["path"]) == (413, "POST", "/user/track/arrival")
    assert line["why"] == "request_payload_too_large"


async def test_what_a_server_answers_and_floods_leave_no_lines(edge: Edge) -> None:
    """Calls would be written down twice, and strangers fill the disk."""
    assert (await edge.public.get("/business/merchant/m-1", headers=named("served"))).is_success
    for number in range(200):
        answer = await edge.public.get("/a%2fb", headers=named(f"unreadable-{number}"))
        assert answer.status_code == 400
        upgrade = {"connection": "upgrade", "upgrade": "h3", **named(f"upgrade-{number}")}
        answer = await edge.public.get("/health", headers=upgrade)
        assert answer.status_code == 403
    await edge.public.get("/nowhere", headers=named("last"))
    await line_of(edge, "last")

    text = edge.log
    assert '"served"' not in text
    assert text.count("unreadable-") < 30
    assert text.count("upgrade-") < 30
    assert SECRET not in text


async def test_a_call_that_finds_no_server_says_so(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """An operator would look for what is wrong with Envoy."""
    folder = tmp_path_factory.mktemp("envoy")
    backend = Backend(DESCRIPTORS.read_bytes())
    settings = settings_for(free_ports(1))
    async with running_edge(settings, backend, folder, ready_status=503) as edge:
        answer = await edge.public.get("/business/merchant/m-1", headers=named("away"))
        assert answer.status_code == 503

        line = await line_of(edge, "away")

    assert (line["status"], line["flags"], line["why"]) == (503, "UH", "no_healthy_upstream")
    assert (line["verb"], line["path"]) == ("GET", "/business/merchant/m-1")


async def test_no_level_of_envoys_log_shows_what_callers_sent(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """The proof of a service stood in a log, for everybody who reads logs."""
    folder = tmp_path_factory.mktemp("envoy")
    backend = Backend(DESCRIPTORS.read_bytes())
    sent = dict.fromkeys(SECRET_HEADERS, SECRET)
    async with (
        running_process(backend) as process,
        running_edge(
            settings_for([process.port]),
            backend,
            folder,
            arguments=("--log-level", "trace", *WITHOUT_HEADERS),
        ) as edge,
    ):
        for client in (edge.public, edge.mesh):
            await client.get("/business/merchant/m-1", headers=sent)
            await client.get(f"/nowhere?token={SECRET}", headers=sent)
            await client.patch(
                "/business/merchant/m-1/webhook", headers=sent, json={"signingKey": SECRET}
            )
            await client.post(
                f"/ext/merchant/m-1/webhook/custom?key={SECRET}", headers=sent, content=SECRET
            )
        for target in (edge.public_target, edge.mesh_target):
            await status_of(target, "/guerdon.business.v1.BusinessService/GetMerchant", sent)
        await edge.public.get("/nowhere", headers=named("last"))
        await line_of(edge, "last")

        text = edge.log
    assert "[trace]" in text
    assert any(SECRET in seen.metadata.values() for seen in backend.seen)
    assert SECRET not in text

"""What strangers send who mean no good, through Envoy to a real server."""

from __future__ import annotations

import asyncio
import time
from urllib.parse import urlsplit

import httpx
import pytest

from localmesh.stack import Stack
from server.edge.listeners import REQUEST_HEADERS_KILOBYTES_MAX

REPEATS = 20
KILOBYTE = 1024
LOGGED_WITHIN_SECONDS = 5


@pytest.mark.parametrize("kilobytes", [7, 9, 12, REQUEST_HEADERS_KILOBYTES_MAX - 1])
async def test_headers_within_the_limit_always_pass(stack: Stack, kilobytes: int) -> None:
    """Callers with much to say would be refused now and then, with a reason of gRPC's own."""
    for name in ("x-much", "cookie"):
        async with httpx.AsyncClient(base_url=stack.mesh_url) as mesh:
            answers = [
                await mesh.get("/health", headers={name: "a" * (kilobytes * KILOBYTE)})
                for _ in range(REPEATS)
            ]
        assert {answer.status_code for answer in answers} == {200}


async def test_headers_beyond_the_limit_are_refused_in_our_words(stack: Stack) -> None:
    """A caller would be told to slow down, and not what is wrong."""
    much = "a" * ((REQUEST_HEADERS_KILOBYTES_MAX + 1) * KILOBYTE)
    async with httpx.AsyncClient(base_url=stack.public_url) as public:
        answer = await public.get("/health", headers={"x-much": much})

    assert answer.status_code == 431
    assert answer.json()["details"][0]["reason"] == "REQUEST_MALFORMED"


async def test_headers_that_are_no_text_stay_out_of_the_logs(stack: Stack) -> None:
    """A stranger could write into the log, and a token that is sent wrong would stand in it."""
    secret, mark = b"a-secret-that-was-sent-wrong", b"the-call-with-the-secret"
    sent = ((stack.public_url, b"x-client-id"), (stack.mesh_url, b"x-service-auth"))
    for address, header in sent:
        request = b"\r\n".join(
            [
                b"POST /user/track/arrival HTTP/1.1",
                b"host: guerdon",
                b"content-length: 2",
                b"x-request-id: " + mark,
                header + b": " + secret + b"\xff\xfe",
                b"connection: close",
                b"",
                b"{}",
            ]
        )
        url = urlsplit(address)
        reader, writer = await asyncio.open_connection(url.hostname, url.port)
        writer.write(request)
        answer = await reader.read()
        writer.close()
        assert answer.split()[1] in {b"400", b"401"}, answer

    logs = [
        stack.folder / "logs" / f"{name}.log"
        for name in ("serve-1", "serve-2", "envoy-public", "envoy-mesh")
    ]
    deadline = time.monotonic() + LOGGED_WITHIN_SECONDS
    while sum(log.read_bytes().count(mark) for log in logs) < len(sent):
        assert time.monotonic() < deadline, "the calls left no line in any log"
        await asyncio.sleep(0.05)
    for log in logs:
        assert secret not in log.read_bytes(), log

"""Strangers of one address, each as a process of its own: `python -m tests.attacks.attackers`.

Each does its harm as fast as it may, prints what came of it as a JSON object, and ends.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, suppress

from infrastructure.rpc.rate_class import REQUEST_BYTES_MAX, RateClass
from tests.attacks.bursts import reset, waiting
from tests.support.raw_streams import Headers, RawStreams, post, raw_streams

ARRIVAL = "/guerdon.orchestration.v1.ArrivalService/TrackArrival"
WEBHOOK_PATH = "/ext/merchant/0199d5f0-0000-7000-8000-000000000000/webhook/custom"
CAMPAIGNS_PATH = "/business/merchant/0199d5f0-0000-7000-8000-000000000000/campaigns"
EMPTY_MESSAGE = b"\0\0\0\0\0"
# What gRPC reads, sent as it cannot be read.
RESERVED = (
    ("grpc-timeout", "zzz"),
    ("grpc-timeout", "123456789S"),
    ("grpc-encoding", "zzz"),
    ("grpc-accept-encoding", "zzz"),
    ("grpc-previous-rpc-attempts", "zzz"),
    ("grpc-retry-pushback-ms", "zzz"),
    ("grpc-status", "zzz"),
    ("grpc-trace-bin", "%%%"),
    ("some-bin", "%%%"),
    ("a.b", "zzz"),
)
REPEATS = 100
HEADERS_PER_SECOND = 250
BODIES_PER_SECOND = 10
BODIES_SECONDS = 6
EMPTY_CALLS = 2_000
UNFINISHED = 300
UNFINISHED_SECONDS = 12
# Of a piece above 512 bytes Envoy keeps 4 KiB.
PIECE_BYTES = 520
IN_PIECES = 2_000
IN_PIECES_PER_SECOND = 300
STREAMS_MAX = 8
# Connections whose answers are not taken, and how long; each stands for 12 KiB of headers, of which
# all but the first are an index into what was sent before.
UNTAKEN_CONNECTIONS = 180
UNTAKEN_STREAMS_MAX = 100
UNTAKEN_SECONDS = 12
GET_HEALTH = (
    (":method", "GET"),
    (":scheme", "http"),
    (":path", "/health"),
    (":authority", "guerdon"),
)
LONG_HEADERS = (("x-long", "b" * 3_900),) * 3
# Connections that call what is refused, one call behind the other.
REFUSED_CONNECTIONS = 400
REFUSED_AT_ONCE = 8
REFUSED_HEADER_BYTES = 12 << 10
REFUSED_SECONDS = 8
ANSWER_SECONDS_MAX = 30
# Below the usual soft limit of files.
IDLE_CONNECTIONS = 750


async def headers(target: str) -> Counter[str]:
    """Each reserved header a hundred times, by gRPC and as JSON; other verbs; trailers."""
    answers: Counter[str] = Counter()
    trailers = [("x-end", "1"), ("grpc-timeout", "zzz"), ("some-bin", "%%%")]

    async def one(
        connection: RawStreams, places: asyncio.Semaphore, sent: Headers, body: bytes, end: Headers
    ) -> None:
        async with places:
            stream = connection.open(sent)
            await connection.send(stream, body)
            connection.end_with(stream, end)
            try:
                answer = await asyncio.wait_for(connection.until_ended(stream), ANSWER_SECONDS_MAX)
            except TimeoutError:
                answer = {":status": "silence"}
        answers[answer.get("grpc-status", answer.get(":status", "reset"))] += 1

    async with AsyncExitStack() as held, asyncio.TaskGroup() as calls:
        for _ in range(REPEATS):
            # A new connection each time: a stranger is not bound to one.
            connection = await held.enter_async_context(raw_streams(target))
            places = asyncio.Semaphore(STREAMS_MAX - 1)
            for header in RESERVED:
                by_grpc = post(ARRIVAL, header, _length(EMPTY_MESSAGE))
                by_json = _json("/user/track/arrival", header, _length(b"{}"))
                calls.create_task(one(connection, places, by_grpc, EMPTY_MESSAGE, trailers[:1]))
                calls.create_task(one(connection, places, by_json, b"{}", trailers))
                await asyncio.sleep(2 / HEADERS_PER_SECOND)
            other_verb = [(":method", "DELETE"), *post(ARRIVAL)[1:]]
            calls.create_task(one(connection, places, other_verb, EMPTY_MESSAGE, trailers))
    return answers


async def bodies(target: str) -> Counter[str]:
    """Bodies as large as each class may have, and as costly to read as JSON can be."""
    answers: Counter[str] = Counter()
    paths = {
        RateClass.TRACKING: "/user/track/purchase",
        RateClass.WEBHOOK: WEBHOOK_PATH,
        RateClass.DASHBOARD: CAMPAIGNS_PATH,
        RateClass.PROBE: "/health",
    }

    async def one(rate_class: RateClass) -> None:
        body = _costly(REQUEST_BYTES_MAX[rate_class])
        verb = "GET" if rate_class is RateClass.PROBE else "POST"
        status = await _ask(target, verb, paths[rate_class], body)
        answers[f"{rate_class.name.lower()} {status}"] += 1

    async with asyncio.TaskGroup() as calls:
        for _ in range(BODIES_PER_SECOND * BODIES_SECONDS):
            for rate_class in RateClass:
                calls.create_task(one(rate_class))
            await asyncio.sleep(1 / BODIES_PER_SECOND)
    return answers


async def empty(target: str) -> Counter[str]:
    """Calls of gRPC that end without a message."""
    answers: Counter[str] = Counter()
    async with AsyncExitStack() as held:
        waiting = []
        for _ in range(EMPTY_CALLS // STREAMS_MAX):
            connection = await held.enter_async_context(raw_streams(target))
            sent = post(ARRIVAL, _length(b""))
            streams = [connection.open(sent, ends=True) for _ in range(STREAMS_MAX)]
            waiting += [connection.until_ended(stream) for stream in streams]

        async def one(answer: Awaitable[dict[str, str]]) -> None:
            try:
                async with asyncio.timeout(ANSWER_SECONDS_MAX):
                    answers[(await answer).get("grpc-status", "reset")] += 1
            except TimeoutError:
                answers["silence"] += 1

        await asyncio.gather(*map(one, waiting))
    return answers


async def unfinished(target: str) -> Counter[str]:
    """Bodies of the largest class and of the most called one, of which the last byte is missing."""
    answers: Counter[str] = Counter()
    most = REQUEST_BYTES_MAX[RateClass.WEBHOOK] - 64
    async with AsyncExitStack() as held:

        async def one(number: int) -> None:
            path = "/user/track/arrival" if number % 3 == 0 else WEBHOOK_PATH
            size = REQUEST_BYTES_MAX[RateClass.TRACKING] - 64 if number % 3 == 0 else most
            stream = connections[number % len(connections)].open(_json(path))
            connection = connections[number % len(connections)]
            await connection.send(stream, b" " * size)
            # A byte now and then: nothing may think that nobody is there.
            for _ in range(UNFINISHED_SECONDS):
                if not await connection.send(stream, b" "):
                    break
                await asyncio.sleep(1)
            answers[connection.headers.get(stream, {}).get(":status", "unanswered")] += 1

        connections = [
            await held.enter_async_context(raw_streams(target))
            for _ in range(-(-UNFINISHED // STREAMS_MAX))
        ]
        await asyncio.gather(
            *(asyncio.wait_for(one(n), 2 * UNFINISHED_SECONDS) for n in range(UNFINISHED)),
            return_exceptions=True,
        )
    return answers


async def pieces(target: str) -> Counter[str]:
    """Bodies in the smallest pieces that are kept whole, each without its end."""
    answers: Counter[str] = Counter()
    async with AsyncExitStack() as held:
        connections = [
            await held.enter_async_context(raw_streams(target))
            for _ in range(IN_PIECES // STREAMS_MAX)
        ]
        sent = []
        for number in range(IN_PIECES):
            connection = connections[number % len(connections)]
            is_webhook = number % 2 == 0
            size = (48 << 10) if is_webhook else (8 << 10)
            length = ("content-length", str(size))
            stream = connection.open(
                _json(WEBHOOK_PATH if is_webhook else "/user/track/arrival", length)
            )
            connection.send_in_pieces(stream, b" " * (size - 64), PIECE_BYTES)
            sent.append((connection, stream))
            await asyncio.sleep(1 / IN_PIECES_PER_SECOND)
        await asyncio.sleep(1)
        for connection, stream in sent:
            answers[connection.headers.get(stream, {}).get(":status", "unanswered")] += 1
    return answers


async def untaken(target: str) -> Counter[str]:
    """Requests whose answers are never taken, as many as a connection may have, again and again."""
    answers: Counter[str] = Counter()
    sent = [*GET_HEALTH, *LONG_HEADERS]

    async def one(number: int) -> None:
        await asyncio.sleep(number / UNTAKEN_CONNECTIONS * UNTAKEN_SECONDS / 4)
        async with raw_streams(target, takes_answers=False) as connection:
            # Until it is told how many it may have at once; no more than a hundred.
            await asyncio.sleep(0.2)
            most = min(connection.streams_max, UNTAKEN_STREAMS_MAX)
            while True:
                streams = [connection.open(sent, ends=True) for _ in range(most)]
                answers["sent"] += len(streams)
                await asyncio.gather(*map(connection.until_ended, streams))

    async def connections() -> None:
        await asyncio.gather(*map(one, range(UNTAKEN_CONNECTIONS)), return_exceptions=True)

    with suppress(TimeoutError):
        await asyncio.wait_for(connections(), UNTAKEN_SECONDS)
    return answers


async def refused(target: str) -> Counter[str]:
    """Calls that lead nowhere, with large headers, as many at once as all connections carry."""
    answers: Counter[str] = Counter()
    host, _, port = target.rpartition(":")
    headers = f"host: a\r\nx-long: {'b' * REFUSED_HEADER_BYTES}\r\n"
    request = f"GET /nowhere HTTP/1.1\r\n{headers}\r\n".encode()

    async def one() -> None:
        reader, writer = await asyncio.open_connection(host, int(port))
        try:
            while True:
                writer.write(request * REFUSED_AT_ONCE)
                for _ in range(REFUSED_AT_ONCE):
                    head = await reader.readuntil(b"\r\n\r\n")
                    await reader.readexactly(
                        int(head.lower().split(b"content-length: ")[1].split()[0])
                    )
                    answers[head.split()[1].decode()] += 1
        finally:
            writer.close()

    async def connections() -> None:
        await asyncio.gather(*(one() for _ in range(REFUSED_CONNECTIONS)), return_exceptions=True)

    with suppress(TimeoutError):
        await asyncio.wait_for(connections(), REFUSED_SECONDS)
    return answers


async def idle(target: str) -> Counter[str]:
    """Connections on which nothing is said, until this process is ended."""
    host, _, port = target.rpartition(":")
    opening = (asyncio.open_connection(host, int(port)) for _ in range(IDLE_CONNECTIONS))
    held = list(await asyncio.gather(*opening, return_exceptions=True))
    opened = sum(not isinstance(each, BaseException) for each in held)
    _tell(Counter(opened=opened))
    await asyncio.Event().wait()
    raise AssertionError(held)


def _tell(answers: Counter[str]) -> None:
    sys.stdout.write(json.dumps(answers) + "\n")
    sys.stdout.flush()


def _costly(size: int) -> bytes:
    """A JSON object of so many bytes, nearly all of it small values."""
    head, tail = b'{"orderId":[', b"[]]}"
    pairs, rest = divmod(size - len(head) - len(tail), 3)
    return head + b"[]," * pairs + b" " * rest + tail


def _length(body: bytes) -> tuple[str, str]:
    """Who says how little it is has the limit of small ones."""
    return ("content-length", str(len(body)))


def _json(path: str, *more: tuple[str, str]) -> Headers:
    sent = post(path, *more, content_type="application/json")
    return [header for header in sent if header != ("te", "trailers")]


async def _ask(target: str, verb: str, path: str, body: bytes) -> str:
    """The status of an answer, over a connection of its own."""
    host, _, port = target.rpartition(":")
    head = f"{verb} {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-length: {len(body)}"
    try:
        async with asyncio.timeout(ANSWER_SECONDS_MAX):
            reader, writer = await asyncio.open_connection(host, int(port))
            writer.write(head.encode() + b"\r\n\r\n" + body)
            line = await reader.readline()
            writer.close()
    except (TimeoutError, ConnectionError):
        return "silence"
    return line.split()[1].decode() if line else "closed"


ATTACKS: dict[str, Callable[[str], Awaitable[Counter[str]]]] = {
    each.__name__: each
    for each in (headers, bodies, empty, unfinished, pieces, untaken, reset, refused, waiting, idle)
}


def main() -> None:
    """Runs one attack by its name on a target, `host:port`."""
    name, target = sys.argv[1:]

    async def attack() -> None:
        _tell(await ATTACKS[name](target))

    asyncio.run(attack())


if __name__ == "__main__":
    main()

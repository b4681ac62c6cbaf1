"""HTTP/2 as a stranger speaks it: any headers, any bytes, ended or not.

A gRPC client would put right what a test wants to send wrong.
"""

from __future__ import annotations

import asyncio
import base64
import struct
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from urllib.parse import unquote

import grpc
import h2.config
import h2.connection
import h2.events
import h2.exceptions
from google.rpc import error_details_pb2, status_pb2

READ_BYTES = 1 << 16
Headers = Sequence[tuple[str, str]]


def frame(message: bytes, *, compressed: bool = False, claimed: int | None = None) -> bytes:
    """A message as gRPC frames it. `claimed` is the length that the frame says it has."""
    return struct.pack(">?I", compressed, len(message) if claimed is None else claimed) + message


def grpc_headers(path: str, *more: tuple[str, str], **replaced: str) -> list[tuple[str, str]]:
    """The headers of a native gRPC call. `replaced` are some of these, by their short names."""
    usual = {
        "method": "POST",
        "scheme": "http",
        "path": path,
        "authority": "guerdon.test",
        **{name: text for name, text in replaced.items() if name != "content_type"},
    }
    content_type = replaced.get("content_type", "application/grpc")
    return [
        *((f":{name}", text) for name, text in usual.items()),
        ("content-type", content_type),
        ("te", "trailers"),
        *more,
    ]


@dataclass(slots=True)
class Answer:
    """What came back on one stream: headers and trailers together, and the body."""

    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    reset: int | None = None
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def code(self) -> grpc.StatusCode | None:
        """The status of a gRPC answer; None of another."""
        number = self.headers.get("grpc-status")
        if number is None:
            return None
        return next(code for code in grpc.StatusCode if code.value[0] == int(number))

    @property
    def message(self) -> str:
        return unquote(self.headers.get("grpc-message", ""))

    @property
    def info(self) -> error_details_pb2.ErrorInfo | None:
        """The ErrorInfo of a gRPC answer, if it carries one."""
        encoded = self.headers.get("grpc-status-details-bin", "")
        status = status_pb2.Status.FromString(base64.b64decode(encoded + "=" * (-len(encoded) % 4)))
        for detail in status.details:
            info = error_details_pb2.ErrorInfo()
            if detail.Unpack(info):
                return info
        return None


class Connection:
    """One connection; its calls run side by side."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        config = h2.config.H2Configuration(
            client_side=True,
            header_encoding="utf-8",
            validate_outbound_headers=False,
            normalize_outbound_headers=False,
            validate_inbound_headers=False,
        )
        self._h2 = h2.connection.H2Connection(config)
        self._reader, self._writer = reader, writer
        self._answers: dict[int, Answer] = {}
        self._room = asyncio.Condition()
        self.is_closed = False

    def begin(self) -> None:
        """Says hello."""
        self._h2.initiate_connection()
        self._flush()

    async def call(
        self, headers: Headers, data: Iterable[bytes] = (), *, ends: bool = True, seconds: float
    ) -> Answer:
        """Sends headers and pieces of a body, and waits for the end of the answer.

        Raises:
            TimeoutError: no answer within these seconds.
        """
        answer = Answer()
        async with asyncio.timeout(seconds):
            stream = await self.send(headers, data, ends=ends, answer=answer)
            await answer.ended.wait()
        if not ends and not self.is_closed:
            self._forget(stream)
        return answer

    async def send(
        self, headers: Headers, data: Iterable[bytes], *, ends: bool, answer: Answer
    ) -> int:
        """Sends headers and pieces of a body, and goes on; says on which stream."""
        stream = self._h2.get_next_available_stream_id()
        self._answers[stream] = answer
        pieces = list(data)
        self._h2.send_headers(stream, list(headers), end_stream=ends and not pieces)
        self._flush()
        for number, piece in enumerate(pieces):
            await self._send_piece(stream, piece, ends=ends and number == len(pieces) - 1)
        return stream

    async def _send_piece(self, stream: int, piece: bytes, *, ends: bool) -> None:
        rest = memoryview(piece)
        while not self.is_closed:
            try:
                window = self._h2.local_flow_control_window(stream)
                size = min(window, self._h2.max_outbound_frame_size, len(rest))
                if size or not rest:
                    is_last = size == len(rest)
                    self._h2.send_data(stream, bytes(rest[:size]), end_stream=ends and is_last)
                    self._flush()
                    rest = rest[size:]
                    if is_last:
                        return
                    continue
            except h2.exceptions.ProtocolError:
                return  # The server has answered and closed the stream before it had it all.
            # Looked at anew under the lock: what came while it was waited for wakes nobody again.
            async with self._room:
                await self._room.wait_for(partial(self._goes_on, stream))
            if self._answers[stream].ended.is_set():
                return

    def _goes_on(self, stream: int) -> bool:
        """Whether more can be sent on a stream, or none ever will be."""
        try:
            has_window = self._h2.local_flow_control_window(stream) > 0
        except h2.exceptions.ProtocolError:
            return True
        return has_window or self.is_closed or self._answers[stream].ended.is_set()

    def _forget(self, stream: int) -> None:
        """Gives up a stream that was left open."""
        try:
            self._h2.reset_stream(stream)
        except h2.exceptions.ProtocolError:
            return
        self._flush()

    def _flush(self) -> None:
        self._writer.write(self._h2.data_to_send())

    async def read(self) -> None:
        """Hands on what comes, until the connection ends."""
        try:
            while data := await self._reader.read(READ_BYTES):
                for event in self._h2.receive_data(data):
                    self._take(event)
                self._flush()
                async with self._room:
                    self._room.notify_all()
        except (ConnectionError, h2.exceptions.ProtocolError):
            pass
        self.is_closed = True
        for answer in self._answers.values():
            answer.ended.set()
        async with self._room:
            self._room.notify_all()

    def _take(self, event: h2.events.Event) -> None:
        answer = self._answers.get(getattr(event, "stream_id", None) or 0)
        if answer is None:
            return
        match event:
            case h2.events.ResponseReceived() | h2.events.TrailersReceived():
                answer.headers.update({str(k): str(v) for k, v in event.headers or ()})
            case h2.events.DataReceived():
                answer.body += event.data or b""
                self._h2.acknowledge_received_data(
                    event.flow_controlled_length or 0, event.stream_id or 0
                )
            case h2.events.StreamEnded():
                answer.ended.set()
            case h2.events.StreamReset():
                answer.reset = int(event.error_code or 0)
                answer.ended.set()


@asynccontextmanager
async def connected(host: str, port: int) -> AsyncIterator[Connection]:
    """A connection without TLS."""
    reader, writer = await asyncio.open_connection(host, port)
    connection = Connection(reader, writer)
    connection.begin()
    reading = asyncio.create_task(connection.read())
    try:
        yield connection
    finally:
        writer.close()
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)

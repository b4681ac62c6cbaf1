"""Many streams of one HTTP/2 connection, each left as unfinished as a test likes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from functools import partial

import h2.config
import h2.connection
import h2.events
import h2.exceptions
import h2.settings

READ_BYTES = 1 << 16
Headers = Sequence[tuple[str, str]]


class RawStreams:
    """What was sent stays as it is; what comes back is kept by stream."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        *,
        takes_answers: bool = True,
    ) -> None:
        config = h2.config.H2Configuration(
            client_side=True,
            header_encoding="utf-8",
            validate_outbound_headers=False,
            normalize_outbound_headers=False,
        )
        self.headers: dict[int, dict[str, str]] = {}
        self.ended: set[int] = set()
        self._changed = asyncio.Condition()
        self._connection = h2.connection.H2Connection(config)
        self._reader, self._writer = reader, writer
        self._connection.initiate_connection()
        if not takes_answers:
            self._connection.update_settings({h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: 0})
        self._flush()

    @property
    def streams_max(self) -> int:
        """How many streams the other side takes at once, as far as it has said."""
        return self._connection.remote_settings.max_concurrent_streams

    def open(self, headers: Headers, *, ends: bool = False) -> int:
        """Sends the headers of a request."""
        stream = self._connection.get_next_available_stream_id()
        self._connection.send_headers(stream, list(headers), end_stream=ends)
        self._flush()
        return stream

    def end_with(self, stream: int, trailers: Headers) -> None:
        """Ends a request with trailers, unless it was answered already."""
        with suppress(h2.exceptions.ProtocolError):
            self._connection.send_headers(stream, list(trailers), end_stream=True)
        self._flush()

    async def send(self, stream: int, data: bytes) -> bool:
        """Sends bytes of a body as fast as they are taken; says whether all of them were."""
        rest = memoryview(data)
        while rest:
            try:
                window = self._connection.local_flow_control_window(stream)
                size = min(window, self._connection.max_outbound_frame_size, len(rest))
                if size:
                    self._connection.send_data(stream, bytes(rest[:size]))
            except h2.exceptions.ProtocolError:
                return False  # Answered, or reset, before all of it was taken.
            self._flush()
            rest = rest[size:]
            if not size:
                # Looked at anew under the lock: what came meanwhile wakes nobody again.
                async with self._changed:
                    await self._changed.wait_for(partial(self._goes_on, stream))
        return True

    def _goes_on(self, stream: int) -> bool:
        """Whether more can be sent on a stream, or none ever will be."""
        try:
            return self._connection.local_flow_control_window(stream) > 0
        except h2.exceptions.ProtocolError:
            return True

    def send_in_pieces(self, stream: int, data: bytes, size: int) -> None:
        """Sends bytes of a body in frames of a size, as far as they are taken now."""
        for begin in range(0, len(data), size):
            piece = data[begin : begin + size]
            try:
                if self._connection.local_flow_control_window(stream) < len(piece):
                    break
                self._connection.send_data(stream, piece)
            except h2.exceptions.ProtocolError:
                break  # Answered, or reset.
        self._flush()

    async def until_ended(self, stream: int) -> dict[str, str]:
        """The headers and trailers of the answer, once it has ended."""
        async with self._changed:
            await self._changed.wait_for(lambda: stream in self.ended)
        return self.headers.get(stream, {})

    async def read(self) -> None:
        """Takes what comes, until the connection ends."""
        try:
            while data := await self._reader.read(READ_BYTES):
                for event in self._connection.receive_data(data):
                    self._take(event)
                self._flush()
                await self._tell()
        except (ConnectionError, h2.exceptions.ProtocolError):
            pass
        self.ended |= set(range(1, self._connection.highest_outbound_stream_id + 1, 2))
        await self._tell()

    def _take(self, event: h2.events.Event) -> None:
        match event:
            case h2.events.ResponseReceived() | h2.events.TrailersReceived():
                found = self.headers.setdefault(event.stream_id, {})
                found.update({str(name): str(value) for name, value in event.headers})
            case h2.events.DataReceived():
                self._connection.acknowledge_received_data(
                    event.flow_controlled_length, event.stream_id
                )
            case h2.events.StreamEnded() | h2.events.StreamReset():
                self.ended.add(event.stream_id)

    async def _tell(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    def _flush(self) -> None:
        if not self._writer.is_closing():
            self._writer.write(self._connection.data_to_send())


@asynccontextmanager
async def raw_streams(target: str, *, takes_answers: bool = True) -> AsyncIterator[RawStreams]:
    """A connection to `host:port`, without TLS. Else it takes headers of answers, and no bodies."""
    host, _, port = target.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    streams = RawStreams(reader, writer, takes_answers=takes_answers)
    reading = asyncio.create_task(streams.read())
    try:
        yield streams
    finally:
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
        writer.close()


def post(path: str, *more: tuple[str, str], content_type: str = "application/grpc") -> Headers:
    """The headers of a request with a body."""
    return [
        (":method", "POST"),
        (":scheme", "http"),
        (":path", path),
        (":authority", "guerdon"),
        ("content-type", content_type),
        ("te", "trailers"),
        *more,
    ]

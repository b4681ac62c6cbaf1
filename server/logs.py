"""Structured logs on standard output. Ids yes; names, tokens and secrets no."""

from __future__ import annotations

import logging
import sys

import orjson
import structlog

from server.causes import fault_of


def configure_logs(*, level: str, form: str) -> None:
    """Sets the level and the form, `json` or `console`, for the whole process."""
    number = logging.getLevelNamesMapping()[level.upper()]
    renderer: structlog.types.Processor = (
        structlog.processors.JSONRenderer(
            serializer=lambda event, **_: orjson.dumps(event).decode()
        )
        if form == "json"
        # In a file, and through a pipe, colours are noise that no search finds its way through.
        else structlog.dev.ConsoleRenderer(colors=sys.stdout.isatty())
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.PrintLoggerFactory(sys.stdout),
        cache_logger_on_first_use=True,
    )
    # Libraries speak through the standard library's logging; only their warnings matter.
    libraries = _Libraries()
    libraries.addFilter(Sparing())
    logging.basicConfig(level=max(number, logging.WARNING), handlers=[libraries], force=True)


SAME_LINES_KINDS_MAX = 1_000
SAME_LINES_MAX = 5
SAME_LINES_EVERY = 10.0
"""A library says the same so many times in so many seconds; what is more is left out."""


class Sparing(logging.Filter):
    """Keeps strangers from filling the log, and the process's time, by what a library says of them.

    What gRPC says of each header that is not UTF-8 is dropped: it is read as Latin-1.
    """

    def __init__(self) -> None:
        super().__init__()
        self._seen: dict[tuple[str, str], tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        said = str(record.msg)
        if record.name.startswith("grpc") and said.startswith("Invalid encoding on"):
            return False
        key = (record.name, said)
        begin, count = self._seen.get(key, (record.created, 0))
        if record.created - begin > SAME_LINES_EVERY:
            begin, count = record.created, 0
        if len(self._seen) > SAME_LINES_KINDS_MAX:
            self._seen.clear()
        self._seen[key] = (begin, count + 1)
        return count < SAME_LINES_MAX


class _Libraries(logging.Handler):
    """Says what libraries say in our form, without what callers sent."""

    def emit(self, record: logging.LogRecord) -> None:
        raised = record.exc_info[1] if record.exc_info else None
        structlog.get_logger().log(
            record.levelno,
            "library",
            logger=record.name,
            # gRPC fills in headers that it cannot read, tokens among them; asyncio goes on in
            # further lines with what an exception said.
            said=(
                str(record.msg) if record.name.startswith("grpc") else record.getMessage()
            ).partition("\n")[0],
            **({} if raised is None else fault_of(raised)),
        )

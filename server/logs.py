"""Structured logs on standard output. Ids yes; names, tokens and secrets no."""

from __future__ import annotations

import logging
import sys
import traceback

import orjson
import structlog


def configure_logs(*, level: str, form: str) -> None:
    """Sets the level and the form, `json` or `console`, for the whole process."""
    number = logging.getLevelNamesMapping()[level.upper()]
    renderer: structlog.types.Processor = (
        structlog.processors.JSONRenderer(
            serializer=lambda event, **_: orjson.dumps(event).decode()
        )
        if form == "json"
        else structlog.dev.ConsoleRenderer()
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
    logging.basicConfig(level=max(number, logging.WARNING), handlers=[_Libraries()], force=True)


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


def fault_of(raised: BaseException) -> dict[str, str]:
    """What a log may hold of an exception: its type and its frames.

    Never its text, which may hold what a caller sent.
    """
    return {
        "fault": type(raised).__name__,
        "stack": "".join(traceback.format_tb(raised.__traceback__)),
    }

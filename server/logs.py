"""Structured logs on standard output. Ids yes; names, tokens and secrets no."""

from __future__ import annotations

import logging
import sys

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
    logging.basicConfig(level=max(number, logging.WARNING), stream=sys.stdout, format="%(message)s")

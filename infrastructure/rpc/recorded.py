"""Lists of what was recorded in a stretch of time."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from google.protobuf.timestamp_pb2 import Timestamp

from infrastructure.rpc.paging import PageStart
from vocabulary.recording import IdRange, least_id

_NANOS_A_MILLISECOND = 1_000_000


def ids_asked(request: Any, start: PageStart[UUID]) -> IdRange:
    """The ids among which a page is: those of the request's times, after the page before.

    The page's key is the id alone, and ids go down from page to page.
    """
    everything = IdRange()
    first, end = everything.first, everything.end
    if request.HasField("start_time"):
        first = least_id(_milliseconds(request.start_time))
    if request.HasField("end_time"):
        end = least_id(_milliseconds(request.end_time))
    if start.after is not None:
        end = min(end, start.after)
    return IdRange(first=first, end=end)


def _milliseconds(instant: Timestamp) -> int:
    """The first whole millisecond that is not before the instant: ids have no finer time."""
    return instant.seconds * 1_000 - (-instant.nanos // _NANOS_A_MILLISECOND)

"""When something was recorded: the time that is in its id, a UUID of version 7."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_VERSION = 7
_TIME_SHIFT = 80
_MILLISECONDS_MAX = 2**48 - 1
_FIRST_ID, _IDS_END = UUID(int=0), UUID(int=2**128 - 1)
_SHOWN_MAX = (datetime(9999, 12, 31, tzinfo=UTC) - _EPOCH) // timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class IdRange:
    """The ids from `first` on, before `end`. All, if nothing else is said."""

    first: UUID = _FIRST_ID
    end: UUID = _IDS_END


def recorded_at(row_id: UUID) -> datetime | None:
    """When the row with this id was recorded, to the millisecond; None: the id does not tell."""
    milliseconds = row_id.int >> _TIME_SHIFT
    if row_id.version != _VERSION or milliseconds > _SHOWN_MAX:
        return None
    return _EPOCH + timedelta(milliseconds=milliseconds)


def least_id(milliseconds: int) -> UUID:
    """What is below every id of this millisecond since 1970, and above all of those before."""
    if milliseconds > _MILLISECONDS_MAX:
        return _IDS_END
    return UUID(int=max(milliseconds, 0) << _TIME_SHIFT)

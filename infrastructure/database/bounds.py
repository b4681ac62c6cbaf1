"""What comes before and after everything that is stored, for walks that begin or end nowhere."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

FIRST_ID = UUID(int=0)
LAST_ID = UUID(int=2**128 - 1)

FIRST_TIME = datetime(1, 1, 2, tzinfo=UTC)
LAST_TIME = datetime(9999, 12, 31, tzinfo=UTC)
"""The driver takes no instant of the days beyond these two in every time zone."""

"""Between the contract's values and ours."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from guerdon.type.v1 import money_pb2
from vocabulary.amounts import TokenAmount


def to_timestamp(instant: datetime | None) -> Timestamp | None:
    """The instant, or nothing."""
    if instant is None:
        return None
    timestamp = Timestamp()
    timestamp.FromDatetime(instant)
    return timestamp


def to_duration(span: timedelta) -> Duration:
    """The span, to the microsecond."""
    duration = Duration()
    duration.FromTimedelta(span)
    return duration


def to_datetime(timestamp: Timestamp) -> datetime:
    """The instant in UTC, to the microsecond."""
    return timestamp.ToDatetime(tzinfo=UTC)


def to_token_amount(amount: TokenAmount) -> money_pb2.TokenAmount:
    """The contract's message for an amount: base units, whole units, unit."""
    return money_pb2.TokenAmount(
        base_units=str(amount.base_units),
        amount=amount.unit.to_text(amount.base_units),
        unit=amount.unit.key,
    )

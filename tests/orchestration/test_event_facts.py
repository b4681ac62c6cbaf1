"""What conditions are told of an event."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest

from domains.campaign.model import Trigger
from domains.rewards.model import InteractionKind
from orchestration.lane.flow.event_facts import time_context, triggers_of

SUNDAY = datetime(2025, 3, 2, tzinfo=UTC)


@pytest.mark.parametrize("day", range(7))
def test_the_week_begins_with_sunday_as_day_0(day: int) -> None:
    """A campaign for weekends would pay on another day."""
    told = time_context(SUNDAY + timedelta(days=day, hours=23))

    assert (told["dayOfWeek"], told["hourOfDay"]) == (Decimal(day), Decimal(23))


def test_an_event_is_told_in_utc() -> None:
    """One campaign would pay at different hours in different servers."""
    evening = (SUNDAY + timedelta(hours=1)).astimezone(timezone(timedelta(hours=-5)))

    assert time_context(evening) == {
        "dayOfWeek": Decimal(0),
        "hourOfDay": Decimal(1),
        "date": "2025-03-02",
        "timestamp": Decimal(1_740_877_200),
    }


@pytest.mark.parametrize("is_referred", [True, False])
def test_an_order_fires_the_trigger_of_referred_ones_only_if_it_is_one(is_referred: bool) -> None:
    """Recommending would be paid for where nobody recommended anything."""
    bought = triggers_of(InteractionKind.PURCHASE, is_referred=is_referred)
    brought = triggers_of(InteractionKind.REFERRAL, is_referred=is_referred)

    assert Trigger.PURCHASE in bought
    assert (Trigger.REFERRAL_PURCHASE in bought) is is_referred
    assert brought == {Trigger.REFERRAL}

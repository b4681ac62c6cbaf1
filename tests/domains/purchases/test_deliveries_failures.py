"""Why a delivery failed is one of few words, whatever the fault is called inside."""

from __future__ import annotations

import pytest

from domains.purchases.model import DeliveryFailure, FailureKind


@pytest.mark.parametrize("kind", FailureKind)
def test_a_failure_is_read_back_as_it_was_kept(kind: FailureKind) -> None:
    """A page of deliveries would show another reason than the one that was met."""
    failure = DeliveryFailure(kind=kind, detail="items[0].price is no number")
    assert DeliveryFailure.from_text(failure.text) == failure


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("IntegrityError", FailureKind.SERVER_FAILED),
        ("the body is no JSON", FailureKind.BODY_UNUSABLE),
    ],
)
def test_what_was_kept_before_there_were_kinds_has_one(text: str, kind: FailureKind) -> None:
    """Deliveries of before an upgrade could not be listed."""
    failure = DeliveryFailure.from_text(text)
    assert failure == DeliveryFailure(kind=kind, detail=text)


def test_a_fault_of_ours_is_told_without_its_name() -> None:
    """A shop's developer would read the name of a class, and look for it in vain."""
    for kind in (FailureKind.SERVER_FAILED, FailureKind.TIMED_OUT):
        assert "IntegrityError" not in DeliveryFailure(kind=kind, detail="IntegrityError").sentence
    assert DeliveryFailure.from_text("") is None

"""Signed messages of shops: how often they are tried, what is kept and said of them."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise

import pytest

from domains.purchases.model import DeliveryFailure, FailureKind, Note, NoteWord, PassedOver
from domains.purchases.model.delivery import (
    REFERENCE_CHARACTERS_MAX,
    TRIES_MAX,
    event_reference,
    retry_pause,
    trial_digest,
)
from domains.purchases.model.note import NOTES_MAX, Notes

HALF_AN_HOUR = timedelta(minutes=30)


def test_pauses_grow_to_half_an_hour_and_stay_there() -> None:
    """A database that is slow would be asked by all that failed at once, or a shop forgotten."""
    pauses = [retry_pause(count) for count in range(1, 2 * TRIES_MAX)]

    assert pauses[0] == timedelta(seconds=5)
    assert all(before <= after for before, after in pairwise(pauses))
    assert {pause for pause in pauses if pause >= HALF_AN_HOUR} == {HALF_AN_HOUR}


@pytest.mark.parametrize("kind", FailureKind)
@pytest.mark.parametrize("detail", ["", "IntegrityError", "items[0].price is no number"])
def test_a_failure_is_read_as_it_was_kept(kind: FailureKind, detail: str) -> None:
    """A shop's developer would be told of another fault than the one that happened."""
    failure = DeliveryFailure(kind=kind, detail=detail)

    assert DeliveryFailure.from_text(failure.text) == failure


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("IntegrityError", FailureKind.SERVER_FAILED),
        ("items[0].price is no number", FailureKind.BODY_UNUSABLE),
    ],
)
def test_a_failure_from_before_there_were_kinds_is_read(text: str, kind: FailureKind) -> None:
    """What died of an older version could not be listed any more."""
    assert DeliveryFailure.from_text(text) == DeliveryFailure(kind=kind, detail=text)
    assert DeliveryFailure.from_text("") is None


def test_only_what_is_wrong_with_the_body_is_said() -> None:
    """A shop would read the name of a fault of ours, or not what it has to mend."""
    said = {kind: DeliveryFailure(kind=kind, detail="detail").sentence for kind in FailureKind}

    assert [kind for kind in said if "detail" in said[kind]] == [FailureKind.BODY_UNUSABLE]
    assert len(set(said.values())) == len(FailureKind)


def test_why_a_delivery_was_passed_over_is_a_reason_of_its_own() -> None:
    """A shop that tries its webhook would look for a fault in its order."""
    sentences = {each: each.sentence for each in PassedOver}

    assert sentences.pop(PassedOver.NOT) == ""
    assert all(sentences.values())
    assert len(set(sentences.values())) == len(sentences)


def test_what_a_sender_calls_a_delivery_is_kept_as_far_as_it_goes() -> None:
    """A long name would fail the order, and `null` be shown as the name of many."""
    assert event_reference("evt_1") == "evt_1"
    assert event_reference("e" * 1_000) == "e" * REFERENCE_CHARACTERS_MAX
    assert event_reference("null") == ""


def test_a_trial_is_another_delivery_than_the_same_bytes_in_earnest() -> None:
    """A shop's first real order would be taken for the trial that was passed over."""
    digests = [b"one", b"other"]

    assert len({*digests, *map(trial_digest, digests)}) == 4
    assert trial_digest(b"one") == trial_digest(b"one")


@pytest.mark.parametrize("count", [0, 1, NOTES_MAX - 1, NOTES_MAX, 10 * NOTES_MAX])
def test_the_last_note_says_that_there_were_more(count: int) -> None:
    """One report would fill the database with what is wrong with it, or its reader think that
    these are all faults.
    """
    notes = Notes()
    for number in range(count):
        notes.add(NoteWord.LEFT_OUT, f"items[{number}]")

    kept = list(notes)
    assert [each.field for each in kept if each.word is NoteWord.LEFT_OUT] == [
        f"items[{number}]" for number in range(min(count, NOTES_MAX - 1))
    ]
    more = [each for each in kept if each.word is NoteWord.MORE]
    assert len(more) == (count >= NOTES_MAX)
    assert kept[len(kept) - len(more) :] == more


@pytest.mark.parametrize("word", NoteWord)
def test_a_note_is_read_as_it_was_stored(word: NoteWord) -> None:
    """A delivery that is there could not be shown."""
    note = Note(word=word, field="items[0].price")

    assert Note.from_document(note.to_document()) == note

"""Words that programs write where they have no id."""

from __future__ import annotations

import pytest

from tests.support.nobody import WORDS
from vocabulary.nobody import is_absent, is_nobody


@pytest.mark.parametrize("word", WORDS)
def test_a_word_that_programs_write_is_nobody(word: str) -> None:
    """All whose pages have a fault would be one person, who collects strangers' orders."""
    assert is_nobody(word)


@pytest.mark.parametrize(
    "word",
    [
        *("nobody", "guest-17", "1", "-2", "nanny", "undefined-1", "Nan Li", "10", "1.0", "object"),
        *("null,ann", "[object]", "{ann}", "00000000-0000-0000-0000-000000000001", "a,a"),
        "0x0000000000000000000000000000000000000001",
    ],
)
def test_whoever_is_called_alike_is_somebody(word: str) -> None:
    """They would never be paid."""
    assert not is_nobody(word)


@pytest.mark.parametrize("word", ["0", "-1", "guest", "anonymous", "0.0", "unknown", "true", "NA"])
def test_an_order_may_be_called_what_no_person_is(word: str) -> None:
    """A shop's order number 0 would be refused for ever."""
    assert is_nobody(word)
    assert not is_absent(word)

"""Keys of Standard Webhooks stand for bytes."""

from __future__ import annotations

import base64

import pytest

from vocabulary.signing_keys import NoStandardKeyError, standard_key, standard_secret


@pytest.mark.parametrize("size", [24, 32, 64])
def test_a_key_stands_for_the_bytes_that_it_was_made_of(size: int) -> None:
    """A shop would sign with others than we verify by."""
    secret = bytes(range(size))
    assert standard_secret(standard_key(secret)) == secret
    assert standard_key(secret) == "whsec_" + base64.b64encode(secret).decode()


@pytest.mark.parametrize(
    ("key", "problem"),
    [
        (standard_key(bytes(23)), "is the Base64 of 23 bytes"),
        (standard_key(bytes(65)), "is the Base64 of 65 bytes"),
        ("whsec_", "is the Base64 of 0 bytes"),
        (standard_key(bytes(32)).rstrip("="), "is no Base64 behind whsec_, or lacks its padding"),
        ("whsec_demo_0123456789", "is no Base64 behind whsec_, or lacks its padding"),
        (standard_key(b"\xff" * 33).replace("/", "_"), "is no Base64 behind whsec_"),
        (f"{standard_key(bytes(32))}\n", "is no Base64 behind whsec_"),
        (base64.b64encode(bytes(32)).decode(), "does not begin with whsec_"),
        ("WHSEC_" + base64.b64encode(bytes(32)).decode(), "does not begin with whsec_"),
    ],
)
def test_what_stands_for_no_bytes_is_told_why(key: str, problem: str) -> None:
    """A key that is cut off would be guessed."""
    with pytest.raises(NoStandardKeyError) as refused:
        standard_secret(key)
    assert str(refused.value).startswith(problem)

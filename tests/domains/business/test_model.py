"""What a merchant is, how its shop signs, and what passes for a domain or a key."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from domains.business.errors import (
    DomainInvalidError,
    SigningKeyInvalidError,
    TokenAddressInvalidError,
)
from domains.business.model import (
    Platform,
    PreviousKey,
    RewardToken,
    Webhook,
    check_key,
    normalize_domain,
)
from vocabulary.ids import MerchantId
from vocabulary.signing_keys import standard_key

NOON = datetime(2025, 3, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
CHECKSUMMED = "0x1f9840a85d5aF5bf1D1762F925BDADdC4201F984"

FIRST = Webhook(
    merchant_id=MerchantId(uuid4()),
    platform=Platform.CUSTOM,
    sealed_key=b"new",
    key_suffix="-new",
    update_time=NOON,
    previous_key=None,
)
SECOND = replace(
    FIRST, previous_key=PreviousKey(sealed_key=b"old", key_suffix="-old", end_time=NOON + HOUR)
)


def a_token(address: str) -> RewardToken:
    return RewardToken(chain_id=1, address=address, decimals=6, peg_currency="EUR")


@pytest.mark.parametrize(
    ("text", "domain"),
    [
        ("shop.example", "shop.example"),
        (" Shop.Example. ", "shop.example"),
        ("xn--bcher-kva.example", "xn--bcher-kva.example"),
        ("a" * 63 + ".example", "a" * 63 + ".example"),
        ("4u.shop.example", "4u.shop.example"),
    ],
)
def test_a_domain_has_one_form(text: str, domain: str) -> None:
    """One shop could be created twice, or be known to older integrations by two ids."""
    assert normalize_domain(text) == domain


@pytest.mark.parametrize(
    "text",
    [
        *("", "shop", "shop..example", "-shop.example", "shop-.example", "shop.example/cart"),
        *("https://shop.example", "shop.example:443", "192.0.2.7", "bücher.example"),
        *("a" * 64 + ".example", "a." * 126 + "example", "shop_1.example", "shop.example\n.x"),
    ],
)
def test_what_is_no_host_name_of_two_labels_is_no_domain(text: str) -> None:
    """A merchant would be known by an address that nobody can own."""
    with pytest.raises(DomainInvalidError):
        normalize_domain(text)


def test_a_token_has_one_address() -> None:
    """The same token in two spellings would be two units, with a ledger each."""
    for address in (CHECKSUMMED, CHECKSUMMED.lower()):
        token = a_token(address).normalized()
        assert token == a_token(CHECKSUMMED.lower())
        assert token.unit.decimals == 6
        assert CHECKSUMMED.lower() in token.unit.key

    # One letter of the checksum is another one.
    for wrong in (CHECKSUMMED.replace("aF5", "AF5"), CHECKSUMMED[:-1], "shop.example", ""):
        with pytest.raises(TokenAddressInvalidError):
            a_token(wrong).normalized()


@pytest.mark.parametrize("key", [standard_key(bytes(32)), "any words", "whsec-of-their-own"])
def test_a_key_that_shops_can_sign_with_passes(key: str) -> None:
    """A shop could not be connected."""
    check_key(key)


@pytest.mark.parametrize("key", ["whsec_", "whsec_short", standard_key(bytes(32)).rstrip("=")])
def test_a_key_that_was_cut_off_is_refused(key: str) -> None:
    """Every order of the shop would be refused, and the shop not know why."""
    with pytest.raises(SigningKeyInvalidError):
        check_key(key)


def test_the_key_before_verifies_until_its_end_and_not_at_it() -> None:
    """A key that leaked would go on opening the shop, or an honest one end too early."""
    assert FIRST.previous_key_at(NOON) is None
    assert SECOND.previous_key_at(NOON) == SECOND.previous_key
    assert SECOND.previous_key_at(NOON + HOUR - timedelta(microseconds=1)) is not None
    assert SECOND.previous_key_at(NOON + HOUR) is None
    assert SECOND.without_previous_key() == FIRST


def test_the_end_of_the_key_before_is_only_ever_moved_nearer() -> None:
    """Asking for an end would give a key that is on its way out a longer life."""
    sooner = SECOND.with_previous_key_until(NOON)
    assert sooner.previous_key_at(NOON) is None
    assert sooner.previous_key_at(NOON - HOUR) is not None
    assert SECOND.with_previous_key_until(NOON + 2 * HOUR) == SECOND
    assert FIRST.with_previous_key_until(NOON) == FIRST


@pytest.mark.parametrize("webhook", [FIRST, SECOND])
def test_keys_are_sealed_again_in_their_places(webhook: Webhook) -> None:
    """A shop's present key and the one before would be exchanged while keys are rotated."""
    again = webhook.with_sealed_keys([b"again:" + key for key in webhook.sealed_keys])

    assert again.sealed_keys == tuple(b"again:" + key for key in webhook.sealed_keys)
    assert again.with_sealed_keys(webhook.sealed_keys) == webhook

"""What a merchant is."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Self

from domains.business.errors import (
    DomainInvalidError,
    SigningKeyInvalidError,
    TokenAddressInvalidError,
)
from vocabulary.addresses import normalize_address, product_id_of
from vocabulary.amounts import Unit, token_unit
from vocabulary.ids import MerchantId
from vocabulary.signing_keys import NoStandardKeyError, is_standard, standard_secret

LOOK_BACK_DEFAULT = timedelta(days=30)
REWARD_DELAY_DEFAULT = timedelta(seconds=60)
CLOCK_TOLERANCE_DEFAULT = timedelta(minutes=5)
KEY_SUFFIX_CHARACTERS = 4
PREVIOUS_KEY_DEFAULT = timedelta(hours=24)

_HOST_NAME = re.compile(
    r"(?=.{1,253}\Z)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]"
)


class AttributionModel(StrEnum):
    """Which of several referrers is credited."""

    FIRST_TOUCH = "first_touch"
    LAST_TOUCH = "last_touch"


class Platform(StrEnum):
    """What a shop runs on."""

    CUSTOM = "custom"


@dataclass(frozen=True, slots=True, kw_only=True)
class RewardToken:
    """The token in which a merchant pays. One whole token is worth one of `peg_currency`."""

    chain_id: int
    address: str
    decimals: int
    peg_currency: str

    @property
    def unit(self) -> Unit:
        return token_unit(
            chain_id=self.chain_id, token_address=self.address, decimals=self.decimals
        )

    def normalized(self) -> Self:
        """The token with its address in lower case.

        Raises:
            TokenAddressInvalidError: the address is not one, or its checksum is wrong.
        """
        address = normalize_address(self.address)
        if address is None:
            raise TokenAddressInvalidError(self.address)
        return type(self)(
            chain_id=self.chain_id,
            address=address,
            decimals=self.decimals,
            peg_currency=self.peg_currency,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Merchant:
    """A shop that pays for recommendations.

    `clock_tolerance` is how far its clock may be behind ours without a buyer's referrer being
    passed over.
    """

    merchant_id: MerchantId
    name: str
    domain: str
    reward_token: RewardToken
    look_back: timedelta
    reward_delay: timedelta
    clock_tolerance: timedelta
    attribution_model: AttributionModel
    create_time: datetime

    @property
    def product_id(self) -> bytes:
        """The 32 bytes by which older integrations know the merchant."""
        return product_id_of(self.domain)


@dataclass(frozen=True, slots=True, kw_only=True)
class PreviousKey:
    """The key that a shop signed with before, which verifies as well until `end_time`."""

    sealed_key: bytes
    key_suffix: str
    end_time: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """How a shop signs what it sends. Keys are sealed; only their ends can be read."""

    merchant_id: MerchantId
    platform: Platform
    sealed_key: bytes
    key_suffix: str
    update_time: datetime
    previous_key: PreviousKey | None

    @property
    def sealed_keys(self) -> tuple[bytes, ...]:
        """Its key, and behind it the one before, if there is one."""
        previous = self.previous_key
        return (self.sealed_key, *(() if previous is None else (previous.sealed_key,)))

    def with_sealed_keys(self, sealed_keys: Sequence[bytes]) -> Self:
        """The same webhook, with its `sealed_keys` sealed another way."""
        sealed_key, *before = sealed_keys
        previous = self.previous_key
        if previous is not None:
            previous = replace(previous, sealed_key=before[0])
        return replace(self, sealed_key=sealed_key, previous_key=previous)

    def without_previous_key(self) -> Self:
        """The webhook, which the key before this one verifies no more."""
        return replace(self, previous_key=None)

    def with_previous_key_until(self, time: datetime) -> Self:
        """The webhook with the key before this one ending by a time, if not earlier."""
        previous = self.previous_key
        if previous is None or previous.end_time <= time:
            return self
        return replace(self, previous_key=replace(previous, end_time=time))

    def previous_key_at(self, now: datetime) -> PreviousKey | None:
        """The key before this one, as long as it verifies as well."""
        previous = self.previous_key
        return previous if previous is not None and now < previous.end_time else None


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedAgain:
    """What became of the keys of some merchants, up to `last`.

    `count` says how many webhooks changed. A key of the `unreadable` is sealed with one that is
    not there any more.
    """

    count: int
    unreadable: tuple[MerchantId, ...]
    last: MerchantId


@dataclass(frozen=True, slots=True, kw_only=True)
class ForgottenKeys:
    """The merchants up to `last` who have no key any more, because nobody could read it.

    Of `previous_count` others only the key before the present one is gone.
    """

    merchants: tuple[MerchantId, ...]
    previous_count: int
    last: MerchantId


def check_key(signing_key: str) -> None:
    """Lets a key pass that shops can sign with.

    Raises:
        SigningKeyInvalidError: it begins as one of Standard Webhooks does, and is none.
    """
    if is_standard(signing_key):
        try:
            standard_secret(signing_key)
        except NoStandardKeyError as fault:
            raise SigningKeyInvalidError(str(fault)) from fault


def normalize_domain(text: str) -> str:
    """The host name in lower case.

    Raises:
        DomainInvalidError: it is not a host name of two labels or more.
    """
    domain = text.strip().lower().rstrip(".")
    if _HOST_NAME.fullmatch(domain) is None:
        raise DomainInvalidError(text)
    return domain

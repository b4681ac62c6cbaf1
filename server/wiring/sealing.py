"""Seals all stored secrets with the first of the process's keys, and forgets what is lost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from domains.business.repository import MerchantRepository
from domains.business.service import BusinessService
from infrastructure.database.sealing_key import forget_other_fingerprints, list_fingerprints
from infrastructure.database.transaction import Database, Transaction
from infrastructure.keys.secret_box import SecretBox
from server.connected import Connected, list_connected, mark_of, marks_of, named
from server.preflight import note_key, require_shared, require_tables, require_usable
from vocabulary.ids import MerchantId

BATCH_SIZE = 100
"""So many merchants are locked at once, for some milliseconds."""
ROUNDS_MAX = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Rotation:
    """What a rotation came to.

    `count` says how many webhooks were sealed again. Those of the `unreadable` are sealed with a
    key that is not named. `forgotten` keys can go; None: something is sealed with them, or will be
    by the `others`. `process_count` processes seal with the first key.
    """

    count: int
    unreadable: Sequence[MerchantId] = ()
    forgotten: int | None = None
    others: Sequence[Connected] = ()
    process_count: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Forgotten:
    """What is gone with a key that nobody has any more.

    The `merchants` have no signing key; of `previous_count` others the one before the present one
    is gone. `key_count` keys are named no more.
    """

    merchants: Sequence[MerchantId]
    previous_count: int
    key_count: int


class KeyNotLostError(Exception):
    """Somebody has the key that is to be forgotten."""

    def __init__(self, holders: Sequence[Connected]) -> None:
        have = "has" if len(holders) == 1 else "have"
        super().__init__(
            f"Nothing was forgotten: {named(holders)} {have} a key that GUERDON_SECRETS_KEY does "
            "not name here, so it is not lost. Add it after the first one and a comma, and run "
            "`guerdon secrets rotate`."
        )


async def rotate(database: Database, keys: Sequence[str]) -> Rotation:
    """Seals again what is not sealed with the first key, a batch at a time.

    Ended half-way, it has done no harm; the next one goes on. Deliveries are verified meanwhile
    by every process that has both keys.

    Raises:
        UnusableDatabaseError: the database is not one that these keys and this version work on.
        KeyNotSharedError: a process could not read what is sealed with the first key.
    """
    secrets = SecretBox(keys)
    await require_usable(database, secrets)
    async with database.single() as tx:
        await require_shared(tx, secrets)
    business = BusinessService(merchants=MerchantRepository(), seal=secrets)
    count = 0
    for _ in range(ROUNDS_MAX):
        sealed, unreadable = await _one_round(database, business)
        count += sealed
        if unreadable:
            return Rotation(count=count, unreadable=unreadable)
        try:
            forgotten, process_count = await _forget_others(database, business, secrets)
        except _StillUsedError as used:
            if used.by:
                return Rotation(count=count, others=used.by)
        else:
            return Rotation(count=count, forgotten=forgotten, process_count=process_count)
    return Rotation(count=count)


async def forget_lost(
    database: Database, keys: Sequence[str], *, is_rehearsed: bool = False
) -> Forgotten:
    """Forgets, in one transaction, what none of the keys reads, and the keys that are not there.

    Rehearsed, it changes nothing and says what would be gone.

    Raises:
        UnusableDatabaseError: the database is not one that this version works on.
        KeyNotLostError: a process has a key that is to be forgotten.
        KeyNotSharedError: a process could not read what is sealed with the first key.
    """
    secrets = SecretBox(keys)
    business = BusinessService(merchants=MerchantRepository(), seal=secrets)
    async with database.single() as tx:
        await require_tables(tx)
    try:
        async with database.transaction() as tx:
            return await _forget_lost_in(tx, business, secrets, is_rehearsed=is_rehearsed)
    except _RehearsedError as rehearsed:
        return rehearsed.forgotten


async def _forget_lost_in(
    tx: Transaction, business: BusinessService, secrets: SecretBox, *, is_rehearsed: bool
) -> Forgotten:
    lost_marks = marks_of(await list_fingerprints(tx) - {*secrets.fingerprints})
    holders = [each for each in await list_connected(tx) if lost_marks & {*each.marks}]
    if holders:
        raise KeyNotLostError(holders)
    # First: whoever seals with one of them has ended when this goes on.
    key_count = await forget_other_fingerprints(tx, secrets.fingerprints)
    await note_key(tx, secrets)
    merchants: list[MerchantId] = []
    previous_count, last = 0, None
    while done := await business.forget_unreadable(tx, after=last, limit=BATCH_SIZE):
        merchants += done.merchants
        previous_count += done.previous_count
        last = done.last
    forgotten = Forgotten(merchants=merchants, previous_count=previous_count, key_count=key_count)
    if is_rehearsed:
        raise _RehearsedError(forgotten)
    return forgotten


async def _one_round(
    database: Database, business: BusinessService
) -> tuple[int, Sequence[MerchantId]]:
    count = 0
    unreadable: list[MerchantId] = []
    last = None
    while True:
        async with database.transaction() as tx:
            done = await business.seal_again(tx, after=last, limit=BATCH_SIZE)
        if done is None:
            return count, unreadable
        count += done.count
        unreadable += done.unreadable
        last = done.last


async def _forget_others(
    database: Database, business: BusinessService, secrets: SecretBox
) -> tuple[int, int]:
    """Forgets the other keys; returns how many, and how many processes seal with the first one.

    Raises:
        _StillUsedError: a process sealed with one of them meanwhile, or will.
    """
    async with database.transaction() as tx:
        # First: whoever still seals with one of them has ended when this goes on.
        forgotten = await forget_other_fingerprints(tx, [secrets.fingerprint])
        if not await business.is_sealed_alike(tx, page_size=BATCH_SIZE):
            raise _StillUsedError
        processes = await list_connected(tx)
        mark = mark_of(secrets.fingerprint)
        others = [each for each in processes if not each.seals_with(mark)]
        if others:
            raise _StillUsedError(others)
    return forgotten, len(processes)


class _StillUsedError(Exception):
    """Takes the transaction back."""

    def __init__(self, by: Sequence[Connected] = ()) -> None:
        super().__init__("still used")
        self.by = by


class _RehearsedError(Exception):
    """Takes the transaction back."""

    def __init__(self, forgotten: Forgotten) -> None:
        super().__init__("rehearsed")
        self.forgotten = forgotten

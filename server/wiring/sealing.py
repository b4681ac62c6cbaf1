"""Seals all stored secrets with the first of the process's keys, so that the others can go."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from domains.business.repository import MerchantRepository
from domains.business.service import BusinessService
from infrastructure.database.sealing_key import forget_other_fingerprints
from infrastructure.database.transaction import Database, Transaction
from infrastructure.keys.secret_box import SecretBox
from server.preflight import require_usable
from vocabulary.ids import MerchantId

BATCH_SIZE = 100
"""So many merchants are locked at once, for some milliseconds."""
ROUNDS_MAX = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Rotation:
    """What a rotation came to.

    `count` says how many webhooks were sealed again. Those of the `unreadable` are sealed with a
    key that is not named. `forgotten` keys can go; None: something is still sealed with them.
    """

    count: int
    unreadable: Sequence[MerchantId]
    forgotten: int | None


async def rotate(database: Database, keys: Sequence[str]) -> Rotation:
    """Seals again what is not sealed with the first key, a batch at a time.

    Ended half-way, it has done no harm; the next one goes on. Deliveries are verified meanwhile
    by every process that has both keys.

    Raises:
        UnusableDatabaseError: the database is not one that these keys and this version work on.
    """
    secrets = SecretBox(keys)
    await require_usable(database, secrets)
    business = BusinessService(merchants=MerchantRepository(), seal=secrets)
    count = 0
    for _ in range(ROUNDS_MAX):
        sealed, unreadable = await _one_round(database, business)
        count += sealed
        if unreadable:
            break
        forgotten = await _forget_others(database, business, secrets)
        if forgotten is not None:
            return Rotation(count=count, unreadable=(), forgotten=forgotten)
    return Rotation(count=count, unreadable=unreadable, forgotten=None)


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
) -> int | None:
    """Forgets the other keys; None if a process sealed with one of them meanwhile."""
    try:
        async with database.transaction() as tx:
            # First: whoever still seals with one of them has ended when this goes on.
            forgotten = await forget_other_fingerprints(tx, secrets.fingerprint)
            await _require_alike(tx, business)
    except _StillUsedError:
        return None
    return forgotten


async def _require_alike(tx: Transaction, business: BusinessService) -> None:
    if not await business.is_sealed_alike(tx, page_size=BATCH_SIZE):
        raise _StillUsedError


class _StillUsedError(Exception):
    """Takes the transaction back."""

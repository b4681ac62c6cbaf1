"""What an update gives to rows that were there before, beside what goes on."""

from __future__ import annotations

from collections.abc import AsyncIterator
from uuid import UUID

import pytest

from localmesh.postgres import Postgres
from tests.support.connections import MAKE_BROWSER
from tests.support.old_database import Old, an_old_database

_DELIVERY = """
    INSERT INTO delivery (merchant_id, delivery_id, platform, event_reference, headers, body, state,
                          passed_over, retry_time, receive_time, body_time)
    VALUES (:merchant_id, :delivery_id, 'custom', :name, '{}', convert_to(:body, 'UTF8'),
            CAST(:state AS text), :passed_over,
            CASE WHEN :state = 'failed' THEN CAST(:now AS timestamptz) END, :now, :now)
"""
# What an older process takes while the digests are being written.
_COMES_MEANWHILE = """
    CREATE FUNCTION come() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        INSERT INTO delivery (merchant_id, delivery_id, platform, event_reference, headers, body,
                              state, receive_time, body_time)
        SELECT NEW.merchant_id, CAST(lpad(CAST(number AS text), 32, '0') AS uuid), 'custom',
               'meanwhile-' || number, '{}', convert_to(body, 'UTF8'), 'applied', now(), now()
        FROM (VALUES (1, 'A'), (2, 'new'), (3, 'new')) AS came (number, body);
        RETURN NULL;
    END $$
"""
_AS_IT_IS_FILLED = """
    CREATE TRIGGER come AFTER UPDATE ON delivery FOR EACH ROW
    WHEN (NEW.event_reference = '9') EXECUTE FUNCTION come()
"""
_DIGESTS = """
    SELECT event_reference, signed_digest = sha256(body),
           signed_digest = sha256(CAST('trial.' AS bytea) || sha256(body))
    FROM delivery ORDER BY event_reference
"""


@pytest.fixture
async def old(postgres: Postgres) -> AsyncIterator[Old]:
    async with an_old_database(postgres) as found:
        yield found


async def test_of_deliveries_with_the_same_bytes_one_stands_for_them(old: Old) -> None:
    """What was taken before could be sent once more; or one of several would be lost."""
    await old.upgrade("0003")
    for number, body, state, passed_over in (
        (1, "A", "failed", ""),
        (2, "A", "applied", ""),
        (3, "A", "ignored", "nothing_new"),
        (4, "A", "ignored", "trial"),
        (5, "A", "ignored", "trial"),
        (6, "B", "dead", ""),
        (7, "B", "failed", ""),
        (8, "C", "applied", ""),
        (9, "D", "applied", ""),
    ):
        await old.write(
            _DELIVERY,
            delivery_id=UUID(int=number << 64),
            name=str(number),
            body=body,
            state=state,
            passed_over=passed_over,
        )
    for statement in (_COMES_MEANWHILE, _AS_IT_IS_FILLED):
        await old.write(statement)

    await old.bring_up_to_date("0004")

    assert await old.read(_DIGESTS) == [
        ("1", False, False),
        ("2", True, False),
        ("3", False, False),
        ("4", False, True),
        ("5", False, False),
        ("6", True, False),
        ("7", False, False),
        ("8", True, False),
        ("9", True, False),
        ("meanwhile-1", False, False),
        ("meanwhile-2", True, False),
        ("meanwhile-3", False, False),
    ]
    ((digests,),) = await old.read("SELECT count(DISTINCT signed_digest) FROM delivery")
    assert digests == 12
    # Done once more, because it was interrupted before it was noted, it changes nothing.
    await old.write("UPDATE alembic_version SET version_num = '0003'")
    await old.bring_up_to_date("0004")


async def test_browsers_that_came_before_have_share_ids(old: Old) -> None:
    """Whoever came before could share no link, or all of them the same one."""
    for client in ("one", "other", "third"):
        await old.write(MAKE_BROWSER, client=client)

    await old.bring_up_to_date("0005")

    ((browsers, share_ids),) = await old.read(
        "SELECT count(*), count(DISTINCT share_id) FROM identity_node"
    )
    assert (browsers, share_ids) == (3, 3)
    # Done once more, because it was interrupted before it was noted, it changes nothing.
    before = await old.read("SELECT share_id FROM identity_node ORDER BY value")
    await old.write("UPDATE alembic_version SET version_num = '0004'")
    await old.bring_up_to_date("0005")
    assert await old.read("SELECT share_id FROM identity_node ORDER BY value") == before

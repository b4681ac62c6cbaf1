"""Data that an older version wrote, after it was brought up to date."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from uuid_utils.compat import uuid7

from infrastructure.database.engine import database_of
from localmesh.postgres import Postgres
from tests.support.books import amounts_of, assert_books_balance
from tests.support.flows import NOON, flows_on
from tests.support.old_database import Old, an_old_database
from tests.support.shop import Shop

_ORDER = """
    INSERT INTO shop_order (merchant_id, order_reference, create_time, purchase_id, state,
                            event_time, body_hash, order_time, content_key, customer_reference,
                            total, currency, items, generation, token_digest, identity_group_id,
                            link, link_time, claim_digests, claim_groups, claim_times)
    VALUES (:merchant_id, :order, :now, :purchase_id, 'confirmed', :now, sha256('b'), :now, 'k',
            'c-1', 100, 'EUR', '[]', :generation, sha256('t'), :person, :link, :now,
            ARRAY[sha256('other')], ARRAY[CAST(:stranger AS uuid)],
            ARRAY[CAST(:now AS timestamptz)])
"""
_WAITING = """
    INSERT INTO shop_order (merchant_id, order_reference, create_time, claim_digests,
                            claim_groups, claim_times)
    VALUES (:merchant_id, 'waiting', :now, ARRAY[sha256('x'), sha256('y')],
            ARRAY[CAST(:one AS uuid), CAST(:other AS uuid)],
            ARRAY[CAST(:now AS timestamptz), CAST(:now AS timestamptz) + CAST(:later AS interval)])
"""
_INTERACTION = """
    INSERT INTO interaction (interaction_id, merchant_id, kind, event_reference,
                             identity_group_id, purchase_id, state, event_time, due_time,
                             decide_time)
    VALUES (:interaction_id, :merchant_id, :kind, :reference, :person, :purchase_id,
            CAST(:state AS text), :now, :now,
            CASE WHEN CAST(:state AS text) = 'decided' THEN CAST(:now AS timestamptz) END)
"""
_LINK = """
    INSERT INTO referral_link (merchant_id, referral_link_id, referrer_group_id, referee_group_id,
                               start_time, create_time, end_time, end_reason)
    VALUES (:merchant_id, :link_id, :referrer, :person, :now, :now, :now, 'replaced')
"""
_CAMPAIGN = """
    WITH made AS (
        INSERT INTO campaign (campaign_id, merchant_id, name, state, priority, rule_version,
                              unlimited_assets, create_time, update_time)
        VALUES (:campaign_id, :merchant_id, 'Old', 'draft', 0, 1, '{}', :now, :now)
    )
    INSERT INTO campaign_rule_version (campaign_id, version, rule, create_time)
    VALUES (:campaign_id, 1, CAST(:rule AS jsonb), :now)
"""
_ORDERS = """
    SELECT order_reference, link, identity_group_id, claim_count, interaction_generation,
           decided_generation, due_time
    FROM shop_order ORDER BY order_reference
"""
_INTERACTIONS = """
    SELECT kind, event_reference, order_reference, generation, identity_group_id,
           referral_link_id, state
    FROM interaction ORDER BY interaction_id
"""


@pytest.fixture
async def old(postgres: Postgres) -> AsyncIterator[Old]:
    async with an_old_database(postgres) as found:
        yield found


async def an_order(old: Old, name: str, link: str, person: UUID, *, generation: int = 1) -> UUID:
    # The time is a part of it.
    purchase_id = uuid7()
    await old.write(
        _ORDER,
        order=name,
        link=link,
        person=person,
        purchase_id=purchase_id,
        generation=generation,
        stranger=uuid4(),
    )
    return purchase_id


async def an_event(
    old: Old, number: int, reference: str, person: UUID, purchase_id: UUID | None, state: str
) -> None:
    await old.write(
        _INTERACTION,
        interaction_id=UUID(int=number),
        kind="referral" if purchase_id is None else "purchase",
        reference=reference,
        person=person,
        purchase_id=purchase_id,
        state=state,
    )


async def test_orders_keep_their_buyers_and_what_is_decided(old: Old) -> None:
    """After an update, decided orders would be decided again, or belong to nobody."""
    claimer, hinted, guessed, twice = (uuid4() for _ in range(4))
    orders = {
        "claimed": await an_order(old, "claimed", "claim", claimer),
        "guessed": await an_order(old, "guessed", "customer", guessed),
        "hinted": await an_order(old, "hinted", "client", hinted),
        "x#twice": await an_order(old, "x#twice", "claim", twice, generation=2),
    }
    await old.write(_WAITING, one=claimer, other=hinted, later=timedelta(seconds=1))
    await an_event(old, 1, "purchase:claimed", claimer, orders["claimed"], "decided")
    await an_event(old, 2, "purchase:guessed", guessed, orders["guessed"], "pending")
    await an_event(old, 3, "purchase:hinted", hinted, orders["hinted"], "pending")
    await an_event(old, 4, "purchase:x##twice", twice, orders["x#twice"], "cancelled")
    await an_event(old, 5, "purchase:x##twice#2", twice, orders["x#twice"], "pending")

    await old.bring_up_to_date()

    assert await old.read(_ORDERS) == [
        ("claimed", "claim", claimer, 1, 1, 1, None),
        ("guessed", "customer", guessed, 1, 1, 0, NOON),
        ("hinted", "client", hinted, 1, 1, 0, NOON),
        ("waiting", None, None, 2, 0, 0, None),
        ("x#twice", "claim", twice, 1, 2, 0, NOON),
    ]
    assert await old.read(_INTERACTIONS) == [
        ("purchase", "purchase:claimed", "claimed", 1, None, None, "decided"),
        ("purchase", "purchase:guessed", "guessed", 1, None, None, "pending"),
        ("purchase", "purchase:hinted", "hinted", 1, None, None, "pending"),
        ("purchase", "purchase:x##twice", "x#twice", 1, None, None, "cancelled"),
        ("purchase", "purchase:x##twice#2", "x#twice", 2, None, None, "pending"),
    ]
    waiting = await old.read(
        "SELECT identity_group_id FROM order_claim WHERE order_reference = 'waiting'"
    )
    assert {person for (person,) in waiting} == {claimer, hinted}


async def test_a_person_who_was_brought_twice_earns_nothing_more(old: Old) -> None:
    """An update would pay once more what was paid too often before."""
    person, one, other, third = (uuid4() for _ in range(4))
    for link_id in (one, other, third):
        await old.write(_LINK, link_id=link_id, referrer=uuid4(), person=person)
    reference = "referral:2025-03-01T12:00:00+00:00:visitor"
    await an_event(old, 1, f"{reference}:{one}", person, None, "decided")
    await an_event(old, 2, f"{reference}:{other}", person, None, "decided")
    await an_event(old, 3, f"{reference}:{third}", person, None, "pending")

    await old.bring_up_to_date()

    assert await old.read(_INTERACTIONS) == [
        ("referral", reference, None, None, person, one, "decided"),
        ("referral", reference, None, None, other, other, "decided"),
    ]
    await assert_books_balance(database_of(old.engine))


@pytest.mark.parametrize("undecided", ["pending", "dead", "cancelled"])
@pytest.mark.parametrize("decided_number", [1, 2, 3])
async def test_whoever_was_brought_by_a_link_that_has_earned_is_brought_by_that_one(
    old: Old, undecided: str, decided_number: int
) -> None:
    """The first of several links would pay once more, because another one's pay is forgotten."""
    person = uuid4()
    links = {number: uuid4() for number in (1, 2, 3)}
    reference = "referral:2025-03-01T12:00:00+00:00:visitor"
    for number, link_id in links.items():
        await old.write(_LINK, link_id=link_id, referrer=uuid4(), person=person)
        state = "decided" if number == decided_number else undecided
        await an_event(old, number, f"{reference}:{link_id}", person, None, state)

    await old.bring_up_to_date()

    kept = links[decided_number]
    assert await old.read(_INTERACTIONS) == [
        ("referral", reference, None, None, person, kept, "decided")
    ]
    await assert_books_balance(database_of(old.engine))


async def test_of_links_that_have_not_earned_the_first_one_counts(old: Old) -> None:
    """A person would be brought by nobody, or by two."""
    person, one, other = (uuid4() for _ in range(3))
    reference = "referral:2025-03-01T12:00:00+00:00:visitor"
    for number, link_id, state in ((1, one, "dead"), (2, other, "pending")):
        await old.write(_LINK, link_id=link_id, referrer=uuid4(), person=person)
        await an_event(old, number, f"{reference}:{link_id}", person, None, state)

    await old.bring_up_to_date()

    assert await old.read(_INTERACTIONS) == [
        ("referral", reference, None, None, person, one, "dead")
    ]


async def test_a_claim_waits_from_when_it_was_made(old: Old) -> None:
    """A claim of yesterday on an old order's row would be forgotten with the update."""
    await old.write(_WAITING, one=uuid4(), other=uuid4(), later=timedelta(days=40))

    await old.bring_up_to_date()

    assert await old.read("SELECT claim_time, create_time FROM order_claim ORDER BY 1") == [
        (NOON, NOON),
        (NOON + timedelta(days=40), NOON + timedelta(days=40)),
    ]
    flows = flows_on(database_of(old.engine))
    async with flows.database.transaction() as tx:
        forgotten = await flows.purchases.forget_claims(
            tx, now=NOON + timedelta(days=41), batch_size=10
        )
    assert forgotten == 1


async def test_work_goes_on_with_what_was_due(old: Old) -> None:
    """What waited when the update came would wait for ever."""
    person = uuid4()
    purchase_id = await an_order(old, "A-1", "claim", person)
    await an_event(old, 1, "purchase:A-1", person, purchase_id, "pending")

    await old.bring_up_to_date()

    flows = flows_on(database_of(old.engine))
    async with flows.database.single() as tx:
        merchant = await flows.business.get(tx, old.merchant_id)  # type: ignore[arg-type]  # ours
    shop = Shop(flows=flows, merchant=merchant, campaign_ids={})
    flows.clock.advance(timedelta(seconds=1))
    await shop.work()
    assert await old.read("SELECT state FROM interaction") == [("decided",)]
    assert await amounts_of(shop) == []
    await assert_books_balance(flows.database)


async def test_a_time_that_was_yet_to_come_is_that_of_the_update(old: Old) -> None:
    """What the shop reports next would be older: its refund would pass unseen."""
    ahead = datetime.now(UTC) + timedelta(hours=2)
    digits = f"{(ahead - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1):020d}"
    for name in ("future", "past"):
        await an_order(old, name, "client", uuid4())
    await old.write(
        "UPDATE shop_order SET event_time = :ahead, content_key = :key"
        " WHERE order_reference = 'future'",
        ahead=ahead,
        key=f"11{digits}2hash",
    )

    await old.bring_up_to_date()

    future, past = await old.read(
        "SELECT event_time, content_key FROM shop_order ORDER BY order_reference"
    )
    assert past == (NOON, "k")
    event_time, key = future
    assert abs(datetime.now(UTC) - event_time) < timedelta(minutes=1)
    microseconds = (event_time - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    assert key == f"11{microseconds:020d}2hash"


async def test_rules_name_people_wallets_and_currencies_as_events_do(old: Old) -> None:
    """A wallet in another spelling got past the list that excludes it, and would go on to."""

    def rule(wallet: str, person: str, currency: str) -> dict[str, Any]:
        def asked(field: str, value: object) -> dict[str, Any]:
            return {"field": field, "operator": "not_in", "value": value, "value_to": None}

        inner = [
            asked("user.walletAddress", [wallet, wallet]),
            asked("purchase.currency", currency),
            asked("purchase.amount", {"number": "5"}),
            asked("purchase.orderId", "Aa"),
        ]
        return {
            "trigger": "purchase",
            "conditions": {
                "logic": "all",
                "members": [
                    asked("user.identityGroupId", [person]),
                    {"group": {"logic": "any", "members": inner}},
                    asked("attribution.source", None),
                ],
            },
            "rewards": [],
        }

    person, wallet = str(uuid4()), "0x1f9840a85d5aF5bf1D1762F925BDADdC4201F984"
    before = rule(wallet, person.upper(), "eur")
    await old.write(_CAMPAIGN, campaign_id=uuid4(), rule=json.dumps(before))

    await old.bring_up_to_date()

    ((after,),) = await old.read("SELECT CAST(rule AS text) FROM campaign_rule_version")
    assert json.loads(after) == rule(wallet.lower(), person, "EUR")

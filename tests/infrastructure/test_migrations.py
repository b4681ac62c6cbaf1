"""Data that an older version wrote, after it was brought up to date."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import AsyncEngine
from uuid_utils.compat import uuid7

from infrastructure.database.engine import create_engine, database_of
from infrastructure.database.schema import MIGRATIONS, migrate
from server.embedded.postgres import Postgres
from tests.support.books import amounts_of, assert_books_balance, read
from tests.support.connections import MAKE_BROWSER
from tests.support.flows import NOON, flows_on
from tests.support.mesh import create_database
from tests.support.shop import Shop

_MERCHANT = """
    INSERT INTO merchant (merchant_id, product_id, name, domain, token_chain_id, token_address,
                          token_decimals, peg_currency, look_back, reward_delay,
                          attribution_model, create_time)
    VALUES (:merchant_id, sha256('p'), 'Old', 'old.example', 1, '0x', 6, 'EUR', interval '30 days',
            interval '0', 'last_touch', :now)
"""
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


class Old:
    """A database of 0.1.0, and what it holds."""

    def __init__(self, engine: AsyncEngine) -> None:
        self.engine = engine
        self.merchant_id = uuid4()
        self.known = {"merchant_id": self.merchant_id, "now": NOON}

    async def write(self, statement: str, **parameters: Any) -> None:
        async with self.engine.begin() as connection:
            await connection.execute(text(statement), {**self.known, **parameters})

    async def order(self, name: str, link: str, person: UUID, *, generation: int = 1) -> UUID:
        # The time is a part of it.
        purchase_id = uuid7()
        await self.write(
            _ORDER,
            order=name,
            link=link,
            person=person,
            purchase_id=purchase_id,
            generation=generation,
            stranger=uuid4(),
        )
        return purchase_id

    async def event(
        self, number: int, reference: str, person: UUID, purchase_id: UUID | None, state: str
    ) -> None:
        await self.write(
            _INTERACTION,
            interaction_id=UUID(int=number),
            kind="referral" if purchase_id is None else "purchase",
            reference=reference,
            person=person,
            purchase_id=purchase_id,
            state=state,
        )

    async def upgrade(self, revision: str) -> None:
        """Brings it up to an older version than this one."""

        def upgrade(connection: Connection) -> None:
            config = Config()
            config.set_main_option("script_location", str(MIGRATIONS))
            config.attributes["connection"] = connection
            command.upgrade(config, revision)

        async with self.engine.begin() as connection:
            await connection.run_sync(upgrade)

    async def bring_up_to_date(self) -> None:
        await migrate(self.engine)

    async def read(self, statement: str) -> list[Any]:
        return [tuple(row) for row in await read(database_of(self.engine), statement)]


@pytest.fixture
async def old(postgres: Postgres) -> AsyncIterator[Old]:
    url = await create_database(postgres, f"old_{uuid4().hex}")
    engine = create_engine(url, pool_size=4, application_name="tests")
    found = Old(engine)
    await found.upgrade("0001")
    await found.write(_MERCHANT)
    yield found
    await engine.dispose()


async def test_orders_keep_their_buyers_and_what_is_decided(old: Old) -> None:
    """After an update, decided orders would be decided again, or belong to nobody."""
    claimer, hinted, guessed, twice = (uuid4() for _ in range(4))
    orders = {
        "claimed": await old.order("claimed", "claim", claimer),
        "guessed": await old.order("guessed", "customer", guessed),
        "hinted": await old.order("hinted", "client", hinted),
        "x#twice": await old.order("x#twice", "claim", twice, generation=2),
    }
    await old.write(_WAITING, one=claimer, other=hinted, later=timedelta(seconds=1))
    await old.event(1, "purchase:claimed", claimer, orders["claimed"], "decided")
    await old.event(2, "purchase:guessed", guessed, orders["guessed"], "pending")
    await old.event(3, "purchase:hinted", hinted, orders["hinted"], "pending")
    await old.event(4, "purchase:x##twice", twice, orders["x#twice"], "cancelled")
    await old.event(5, "purchase:x##twice#2", twice, orders["x#twice"], "pending")

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
    await old.event(1, f"{reference}:{one}", person, None, "decided")
    await old.event(2, f"{reference}:{other}", person, None, "decided")
    await old.event(3, f"{reference}:{third}", person, None, "pending")

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
        await old.event(number, f"{reference}:{link_id}", person, None, state)

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
        await old.event(number, f"{reference}:{link_id}", person, None, state)

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
    await old.event(1, "purchase:A-1", person, await old.order("A-1", "claim", person), "pending")

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
        await old.order(name, "client", uuid4())
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

    await old.bring_up_to_date()

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
    await old.bring_up_to_date()


async def test_browsers_that_came_before_have_share_ids(old: Old) -> None:
    """Whoever came before could share no link, or all of them the same one."""
    for client in ("one", "other", "third"):
        await old.write(MAKE_BROWSER, client=client)

    await old.bring_up_to_date()

    ((browsers, share_ids),) = await old.read(
        "SELECT count(*), count(DISTINCT share_id) FROM identity_node"
    )
    assert (browsers, share_ids) == (3, 3)
    # Done once more, because it was interrupted before it was noted, it changes nothing.
    before = await old.read("SELECT share_id FROM identity_node ORDER BY value")
    await old.write("UPDATE alembic_version SET version_num = '0004'")
    await old.bring_up_to_date()
    assert await old.read("SELECT share_id FROM identity_node ORDER BY value") == before

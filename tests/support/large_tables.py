"""Tables full of one shop's rows, written by PostgreSQL itself, for tests of plans."""

from __future__ import annotations

from datetime import UTC, datetime
from hashlib import md5
from uuid import UUID

import orjson
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from domains.campaign.model import RewardUnits
from domains.campaign.model.rule_document import to_document
from tests.support.rules import a_campaign
from vocabulary.amounts import Unit

ROWS_MANY = 20_000
ROWS_FEW = 20
BEGIN = datetime(2025, 3, 1, 12, tzinfo=UTC)
ROUND = 7
"""The round that a third of the shop's orders and referrals are ready in."""


def id_of(kind: str, number: int | str) -> UUID:
    """The id that a row of these tables has."""
    return UUID(md5(f"{kind} {number}".encode(), usedforsecurity=False).hexdigest())


BUSY_PERSON = id_of("person", 1)
"""Who earned half of the rewards."""


def _id(kind: str, number: str = "n") -> str:
    return f"md5('{kind} ' || ({number}))::uuid"


_SHOP = f"{_id('merchant', '1')}"
_BEGIN = f"timestamptz '{BEGIN.isoformat()}'"
_AT = f"{_BEGIN} + n * interval '1 second'"
_N = "generate_series(1, CAST(:rows AS int)) AS n"

_UNITS = RewardUnits(token=Unit(key="token", decimals=6), peg_currency="EUR")
# Indented: a number right behind a colon would be taken for a parameter.
_RULE = orjson.dumps(to_document(a_campaign().rule, _UNITS), option=orjson.OPT_INDENT_2).decode()

# One shop has all the rows but a few; every person was brought by the one before; person 1 comes
# again and again, and earns half; order 1 is claimed again and again.
_SCRIPT = (
    f"""
    INSERT INTO merchant (merchant_id, product_id, name, domain, token_chain_id, token_address,
        token_decimals, peg_currency, look_back, reward_delay, clock_tolerance, attribution_model,
        create_time)
    SELECT {_id("merchant")}, sha256(('merchant ' || n)::bytea), 'Shop', n || '.example', 1,
           '0x1f9840a85d5af5bf1d1762f925bdaddc4201f984', 6, 'EUR', interval '30 days',
           interval '0', interval '0', 'last_touch', {_BEGIN}
    FROM {_N}""",
    f"""
    INSERT INTO merchant_webhook (merchant_id, platform, sealed_key, key_suffix, update_time)
    SELECT {_id("merchant")}, 'custom', 'sealed', 'last', {_BEGIN} FROM {_N}""",
    f"""
    INSERT INTO reward_lane (merchant_id, round, promoted_time, phase)
    SELECT {_id("merchant")}, {ROUND}, {_BEGIN}, CASE WHEN n = 1 THEN 'walking' ELSE 'idle' END
    FROM {_N}""",
    f"INSERT INTO identity_group SELECT {_id('person')}, {_BEGIN} FROM {_N}",
    f"""
    INSERT INTO identity_node
        (identity_node_id, identity_group_id, kind, value, merchant_id, create_time, share_id)
    SELECT {_id("node", "kind.name || n")}, {_id("person")}, kind.name, kind.name || '-' || n,
           CASE WHEN kind.name <> 'wallet' THEN {_SHOP} END, {_BEGIN},
           {_id("share", "kind.name || n")}
    FROM {_N}, unnest(ARRAY['client', 'wallet']) AS kind (name)""",
    f"""
    INSERT INTO touchpoint (merchant_id, touchpoint_id, identity_group_id, source,
                            referrer_group_id, landing_url, arrival_time)
    SELECT {_SHOP}, {_id("touch", "who.name || n")},
           CASE who.name WHEN 'busy' THEN {_id("person", "1")} ELSE {_id("person")} END,
           CASE WHEN who.name = 'busy' AND n % 2 = 0 THEN 'direct' ELSE 'referral_link' END,
           CASE WHEN who.name = 'busy' AND n % 2 = 0 THEN NULL
                ELSE {_id("person", "n + 1")} END,
           'https://shop.example/', {_AT}
    FROM {_N}, unnest(ARRAY['busy', 'other']) AS who (name)""",
    f"""
    INSERT INTO referral_link (merchant_id, referral_link_id, referrer_group_id, referee_group_id,
                               start_time, end_time, end_reason, create_time)
    SELECT {_SHOP}, {_id("link", "kind.name || n")},
           CASE kind.name WHEN 'old' THEN {_id("person", "n + 2")}
                          ELSE {_id("person", "n + 1")} END,
           CASE kind.name WHEN 'old' THEN {_id("person", "1")} ELSE {_id("person")} END,
           {_BEGIN} - CASE kind.name WHEN 'old' THEN n + 1 ELSE 0 END * interval '1 second',
           CASE kind.name WHEN 'old' THEN {_BEGIN} - n * interval '1 second' END,
           CASE kind.name WHEN 'old' THEN 'replaced' END, {_BEGIN}
    FROM {_N}, unnest(ARRAY['old', 'new']) AS kind (name)""",
    f"""
    INSERT INTO campaign (campaign_id, merchant_id, name, state, priority, rule_version,
                          unlimited_assets, publish_time, create_time, update_time)
    SELECT {_id("campaign")}, {_id("merchant")}, 'Campaign', 'active', 1, 1, '{{}}',
           {_BEGIN}, {_BEGIN}, {_BEGIN} FROM {_N}""",
    f"""
    INSERT INTO campaign_rule_version (campaign_id, version, rule, create_time)
    SELECT {_id("campaign")}, 1, '{_RULE}', {_BEGIN} FROM {_N}""",
    f"""
    INSERT INTO budget_item (budget_item_id, campaign_id, position, label, asset, unit,
                             unit_decimals, limit_base_units, limit_ever_base_units,
                             first_version, window_kind, window_duration)
    SELECT {_id("item")}, {_id("campaign")}, 0, 'all', 'token', 'token', 6, 1000000, 1000000, 1,
           'duration', interval '1 second' FROM {_N}""",
    f"""
    INSERT INTO budget_window (budget_item_id, start_time, end_time, used_base_units)
    SELECT {_id("item", "1 + n % 2")}, {_AT}, {_AT} + interval '1 second', 10 FROM {_N}""",
    f"""
    INSERT INTO budget_entry (reward_id, budget_item_id, kind, cause_id, start_time, base_units)
    SELECT {_id("reward")}, {_id("item", "1 + n % 2")}, 'consume', {_id("reward")}, {_AT}, 10
    FROM {_N}""",
    f"""
    INSERT INTO exchange_rate (exchange_rate_id, base_currency, quote_currency, rate,
                               observe_time, source, create_time)
    SELECT {_id("rate")}, 'USD', 'EUR', 1, {_AT}, 'bank', {_AT} FROM {_N}""",
    # Waiting, ready, decided, waiting for a rate.
    f"""
    INSERT INTO shop_order (merchant_id, order_reference, create_time, purchase_id,
        first_report_time, state,
        event_time, body_hash, order_time, content_key, customer_reference, total, currency,
        items, token_digests,
        claim_count, claim_group_id, claim_time, claim_digest, interaction_generation,
        decided_generation, fixed_group_id, fixed_link, fixed_report_time, due_time,
        ready_round, needed_rate)
    SELECT {_SHOP}, 'order-' || n, {_AT}, {_id("purchase")}, {_AT}, 'confirmed', {_AT}, 'hash',
           {_AT}, '1', CASE WHEN n % 2 = 0 THEN 'customer-1' ELSE 'customer-' || n END,
           100, 'EUR', '[]', ARRAY[sha256('token')],
           CASE WHEN n = 1 THEN :rows ELSE 1 END, {_id("person")}, {_AT}, sha256('token'),
           1, CASE WHEN n % 4 = 3 THEN 1 ELSE 0 END,
           CASE WHEN n % 4 = 3 THEN {_id("person")} END, CASE WHEN n % 4 = 3 THEN 'claim' END,
           CASE WHEN n % 4 = 3 THEN {_AT} END,
           CASE WHEN n % 4 <> 3 THEN {_AT} + interval '1 day' END,
           CASE WHEN n % 4 = 2 THEN {ROUND} END, CASE WHEN n % 4 = 0 THEN 'USD/EUR' END
    FROM {_N}""",
    f"""
    INSERT INTO order_claim (merchant_id, order_reference, token_digest, identity_group_id,
                             claim_time, create_time)
    SELECT {_SHOP}, 'order-1', sha256(('token ' || n)::bytea), {_id("person")}, {_AT}, {_AT}
    FROM {_N}""",
    f"""
    INSERT INTO interaction (interaction_id, merchant_id, kind, order_reference, generation,
                             state, due_time, decide_time)
    SELECT {_id("purchase interaction")}, {_SHOP}, 'purchase', 'order-' || n, 1,
           CASE WHEN n % 4 = 3 THEN 'decided' ELSE 'pending' END, {_AT},
           CASE WHEN n % 4 = 3 THEN {_AT} END
    FROM {_N}""",
    f"""
    INSERT INTO interaction (interaction_id, merchant_id, kind, identity_group_id,
        referral_link_id, event_time, referral_reference, due_time, ready_round)
    SELECT {_id("referral interaction")}, {_SHOP}, 'referral', {_id("person")},
           {_id("link", "'new' || n")}, {_AT}, 'referral:' || n, {_AT},
           CASE WHEN n % 2 = 0 THEN {ROUND} END
    FROM {_N}""",
    f"""
    INSERT INTO reversal (reversal_id, merchant_id, order_reference, generation, create_time,
                          drain_time, sequence)
    SELECT {_id("reversal")}, {_SHOP}, 'order-' || n, 1, {_AT},
           CASE WHEN n % 2 = 0 THEN {_AT} END, CASE WHEN n % 2 = 0 THEN n END
    FROM {_N}""",
    f"INSERT INTO ledger_unit SELECT {_SHOP}, 'unit ' || n, 6 FROM {_N}",
    f"""
    INSERT INTO account (account_id, merchant_id, unit, kind, owner)
    SELECT {_id("account")}, {_SHOP}, 'unit 1', 'recipient_pending', {_id("person")} FROM {_N}""",
    f"""
    INSERT INTO reward (reward_id, merchant_id, interaction_id, campaign_id, definition_index,
        identity_group_id, role, purchase_id, unit, granted_base_units, target_base_units, state,
        description, event_time, create_time)
    SELECT {_id("reward")}, {_SHOP}, {_id("purchase interaction")}, {_id("campaign", "1")}, 0,
           CASE WHEN n % 2 = 0 THEN {_id("person", "1")} ELSE {_id("person")} END, 'user',
           {_id("purchase")}, 'unit 1', 10, 10, 'pending', '', {_AT}, {_AT}
    FROM {_N}""",
    f"""
    INSERT INTO delivery (merchant_id, delivery_id, platform, signed_digest, event_reference,
                          headers, body, state, receive_time, body_time)
    SELECT {_SHOP}, {_id("delivery")}, 'custom', sha256(('event ' || n)::bytea), '', '{{}}', '',
           'applied', {_AT}, {_AT}
    FROM {_N}""",
    f"""
    INSERT INTO repeated_call (principal, method, request_id, digest, answer)
    SELECT sha256(('caller ' || n)::bytea), 'method', lpad(to_hex(n), 32, '0')::uuid, 'digest', ''
    FROM {_N}""",
    # Of one shop many failed, of many shops one did.
    f"""
    INSERT INTO delivery (merchant_id, delivery_id, platform, signed_digest, event_reference,
                          headers, body, state, receive_time, body_time, retry_time)
    SELECT whose.shop, md5(whose.name || n)::uuid, 'custom', sha256(('failed ' || n)::bytea), '',
           '{{}}', '', 'failed', {_AT}, {_AT}, {_AT}
    FROM {_N}, LATERAL (
        VALUES ('one', {_SHOP}), ('many', {_id("merchant", "n + 1")})
    ) AS whose (name, shop)""",
)


async def fill_tables(connection: AsyncConnection, *, rows: int) -> None:
    """Writes so many rows into each table that grows. Into empty tables only."""
    for statement in _SCRIPT:
        await connection.execute(text(statement), {"rows": rows})


async def empty_tables(connection: AsyncConnection) -> None:
    """Takes all of it away again, by rows, so that no plan hears of it."""
    for statement in reversed(_SCRIPT):
        table = statement.split()[2]
        await connection.execute(text(f"DELETE FROM {table}"))

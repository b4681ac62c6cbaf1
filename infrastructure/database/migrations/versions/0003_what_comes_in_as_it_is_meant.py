"""What comes in is taken as it is meant: subtotals, notes, receipts, a tolerance of clocks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from alembic import op
from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import JSONB

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_STATEMENTS = """
ALTER TABLE merchant
    ADD COLUMN clock_tolerance interval NOT NULL DEFAULT interval '5 minutes',
    ADD CONSTRAINT ck_merchant_clock_tolerance_bounded CHECK (
        clock_tolerance >= interval '0' AND clock_tolerance <= interval '24 hours');
ALTER TABLE merchant ALTER COLUMN clock_tolerance DROP DEFAULT;
ALTER TABLE shop_order
    ADD COLUMN subtotal numeric,
    ADD COLUMN items_currency text,
    ADD COLUMN fixed_report_time timestamptz;
UPDATE shop_order SET
    fixed_report_time = CASE WHEN fixed_group_id IS NOT NULL THEN first_report_time END,
    subtotal = (
        SELECT sum(CAST(line ->> 'price' AS numeric) * CAST(line ->> 'quantity' AS numeric))
        FROM jsonb_array_elements(items) AS line),
    items_currency = CASE WHEN items_key IS NULL THEN currency END
WHERE purchase_id IS NOT NULL;
-- Times were taken that were up to a day ahead: whatever a shop reports next would be older.
UPDATE shop_order SET
    event_time = now(),
    content_key = CASE WHEN substr(content_key, 3, 20) > present.digits
                       THEN overlay(content_key PLACING present.digits FROM 3 FOR 20)
                       ELSE content_key END,
    customer_key = CASE WHEN substr(customer_key, 3, 20) > present.digits
                        THEN overlay(customer_key PLACING present.digits FROM 3 FOR 20)
                        ELSE customer_key END,
    items_key = CASE WHEN substr(items_key, 3, 20) > present.digits
                     THEN overlay(items_key PLACING present.digits FROM 3 FOR 20)
                     ELSE items_key END,
    hint_key = CASE WHEN substr(hint_key, 2, 20) > present.digits
                    THEN overlay(hint_key PLACING present.digits FROM 2 FOR 20)
                    ELSE hint_key END
FROM (
    SELECT lpad(CAST(CAST(extract(epoch FROM now()) * 1000000 AS bigint) AS text), 20, '0')
           COLLATE "C" AS digits
) AS present
WHERE event_time > now();
ALTER TABLE shop_order
    DROP CONSTRAINT ck_shop_order_fixed_whole,
    ADD CONSTRAINT ck_shop_order_fixed_whole CHECK (
        num_nulls(fixed_group_id, fixed_link, fixed_report_time)
        = CASE WHEN GREATEST(decided_generation, fixed_generation) > 0 THEN 0 ELSE 3 END);
UPDATE touchpoint
SET source = CASE WHEN concat(utm ->> 'source', utm ->> 'medium', utm ->> 'campaign') = ''
                  THEN 'direct' ELSE 'paid_ad' END
WHERE source = 'referral_link' AND referrer_group_id IS NULL;
ALTER TABLE touchpoint
    DROP CONSTRAINT ck_touchpoint_referrers_come_by_link,
    ADD CONSTRAINT ck_touchpoint_links_are_somebodys CHECK (
        (source = 'referral_link') = (referrer_group_id IS NOT NULL));
ALTER TABLE delivery
    ADD COLUMN body_time timestamptz,
    ADD COLUMN passed_over text NOT NULL DEFAULT '',
    ADD COLUMN notes jsonb NOT NULL DEFAULT '[]';
UPDATE delivery SET body_time = receive_time;
UPDATE delivery SET passed_over = 'nothing_new' WHERE state = 'ignored';
ALTER TABLE delivery
    ALTER COLUMN body_time SET NOT NULL,
    ADD CONSTRAINT ck_delivery_ignored_for_a_reason CHECK (
        (state = 'ignored') = (passed_over <> ''));
CREATE INDEX ix_delivery_ahead ON delivery (merchant_id, sha256(body))
WHERE notes @> '[{"word": "taken_as_receipt"}]'
"""


_RULES = text("SELECT campaign_id, version, rule FROM campaign_rule_version").columns(rule=JSONB)
_SET_RULE = text(
    """
    UPDATE campaign_rule_version SET rule = :rule
    WHERE campaign_id = :campaign_id AND version = :version
    """
).bindparams(bindparam("rule", type_=JSONB))
# Events have these in one spelling. A list that names another one excludes nobody.
_SPELLINGS: dict[str, Callable[[str], str]] = {
    "purchase.currency": str.upper,
    "attribution.touchpointId": str.lower,
    "attribution.referrerIdentityGroupId": str.lower,
    "user.identityGroupId": str.lower,
    "user.walletAddress": str.lower,
}


def upgrade() -> None:
    for statement in _STATEMENTS.split(";\n"):
        if statement.strip():
            op.execute(statement)
    connection = op.get_bind()
    for campaign_id, version, rule in connection.execute(_RULES).all():
        spelled = {**rule, "conditions": _spelled(rule["conditions"])}
        if spelled != rule:
            connection.execute(
                _SET_RULE, {"campaign_id": campaign_id, "version": version, "rule": spelled}
            )


def _spelled(group: dict[str, Any]) -> dict[str, Any]:
    """A group of conditions, with their values in the one spelling of their fields."""
    members = []
    for member in group["members"]:
        if "group" in member:
            members.append({**member, "group": _spelled(member["group"])})
        elif (spell := _SPELLINGS.get(member["field"])) is not None:
            members.append({**member, "value": _spelled_value(member["value"], spell)})
        else:
            members.append(member)
    return {**group, "members": members}


def _spelled_value(value: Any, spell: Callable[[str], str]) -> Any:
    if isinstance(value, list):
        return [_spelled_value(each, spell) for each in value]
    return spell(value.strip()) if isinstance(value, str) else value

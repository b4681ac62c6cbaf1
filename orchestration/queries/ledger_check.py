"""Holds the books against themselves: balances, rewards, budgets, orders and events agree."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import text

from infrastructure.database.transaction import Database

EXAMPLES_MAX = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Invariant:
    """Something that is always true. `violations` selects what breaks it, a text a row."""

    name: str
    violations: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """How one invariant held: how many rows break it, and the first few of them."""

    name: str
    violation_count: int
    examples: Sequence[str]


INVARIANTS = (
    Invariant(
        name="balances sum to zero for each merchant and unit",
        violations="""
            SELECT format('%s %s: %s', merchant_id, unit, sum(balance)) FROM account
            GROUP BY merchant_id, unit HAVING sum(balance) <> 0
        """,
    ),
    Invariant(
        name="every balance is what its transfers make it",
        violations="""
            SELECT format('%s: %s, transfers say %s', account_id, balance, moved) FROM account
            JOIN (
                SELECT account_id, COALESCE(sum(side.base_units), 0) AS moved
                FROM account
                LEFT JOIN (
                    SELECT credit AS account_id, base_units FROM transfer
                    UNION ALL
                    SELECT debit, -base_units FROM transfer
                ) AS side USING (account_id)
                GROUP BY account_id
            ) AS recomputed USING (account_id)
            WHERE balance <> moved
        """,
    ),
    Invariant(
        name="campaigns are never funded, people never owe",
        violations="""
            SELECT format('%s %s: %s', kind, owner, balance) FROM account
            WHERE CASE WHEN kind = 'campaign_granted' THEN balance > 0 ELSE balance < 0 END
        """,
    ),
    Invariant(
        name="pending balances are the sums of pending rewards",
        violations="""
            SELECT format('%s at %s: %s, rewards say %s', owner, merchant_id, held, owed)
            FROM (
                SELECT merchant_id, unit, owner, sum(balance) AS held FROM account
                WHERE kind = 'recipient_pending' GROUP BY merchant_id, unit, owner
            ) AS books
            FULL JOIN (
                SELECT merchant_id, unit, identity_group_id AS owner,
                       sum(target_base_units) AS owed
                FROM reward WHERE state = 'pending' GROUP BY merchant_id, unit, identity_group_id
            ) AS rewards USING (merchant_id, unit, owner)
            WHERE COALESCE(held, 0) <> COALESCE(owed, 0)
        """,
    ),
    Invariant(
        name="what a campaign granted is what its rewards are",
        violations="""
            SELECT format('%s: %s, rewards say %s', owner, granted, target)
            FROM (
                SELECT merchant_id, unit, owner, -sum(balance) AS granted FROM account
                WHERE kind = 'campaign_granted' GROUP BY merchant_id, unit, owner
            ) AS books
            FULL JOIN (
                SELECT merchant_id, unit, campaign_id AS owner, sum(target_base_units) AS target
                FROM reward GROUP BY merchant_id, unit, campaign_id
            ) AS rewards USING (merchant_id, unit, owner)
            WHERE COALESCE(granted, 0) <> COALESCE(target, 0)
        """,
    ),
    Invariant(
        name="every reward is what was granted less what was taken back",
        violations="""
            SELECT format('%s: %s, transfers say %s', reward_id, target_base_units, left_over)
            FROM reward LEFT JOIN (
                SELECT reward_id, sum(CASE kind WHEN 'grant' THEN base_units
                                                ELSE -base_units END) AS left_over
                FROM transfer GROUP BY reward_id
            ) AS moved USING (reward_id)
            WHERE target_base_units <> COALESCE(left_over, 0)
        """,
    ),
    Invariant(
        name="every budget window used what was charged less what was given back",
        violations="""
            SELECT format('%s %s: %s, entries say %s', budget_item_id, start_time,
                          used_base_units, charged)
            FROM budget_window LEFT JOIN (
                SELECT budget_item_id, start_time,
                       sum(CASE kind WHEN 'consume' THEN base_units
                                     ELSE -base_units END) AS charged
                FROM budget_entry GROUP BY budget_item_id, start_time
            ) AS entries USING (budget_item_id, start_time)
            WHERE used_base_units <> COALESCE(charged, 0)
        """,
    ),
    Invariant(
        name="no budget window is above the highest limit that it had",
        violations="""
            SELECT format('%s %s: %s of %s', budget_item_id, start_time, used_base_units,
                          limit_ever_base_units)
            FROM budget_window JOIN budget_item USING (budget_item_id)
            WHERE used_base_units > limit_ever_base_units
        """,
    ),
    Invariant(
        name="nothing is given back to a budget that was not taken",
        violations="""
            SELECT format('%s %s', reward_id, budget_item_id) FROM budget_entry
            GROUP BY reward_id, budget_item_id
            HAVING sum(CASE kind WHEN 'consume' THEN base_units ELSE -base_units END) < 0
        """,
    ),
    Invariant(
        name="every confirmed order of a known buyer has its interaction, and no other one",
        violations="""
            SELECT format('%s %s: %s, its row says %s', shop_order.merchant_id,
                          shop_order.order_reference, newest, interaction_generation)
            FROM shop_order LEFT JOIN (
                SELECT merchant_id, order_reference, max(generation) AS newest FROM interaction
                WHERE kind = 'purchase' GROUP BY merchant_id, order_reference
            ) AS known USING (merchant_id, order_reference)
            WHERE interaction_generation <> COALESCE(newest, 0)
               OR (state = 'confirmed' AND identity_group_id IS NOT NULL
                   AND interaction_generation <> generation)
        """,
    ),
    Invariant(
        name="every order is decided for its own buyer, at its own time",
        violations="""
            SELECT format('%s %s', shop_order.merchant_id, shop_order.order_reference)
            FROM shop_order JOIN interaction USING (merchant_id, order_reference)
            WHERE interaction.state = 'decided' AND facts ? 'person'
              AND (facts ->> 'person' <> shop_order.identity_group_id::text
                   OR CAST(facts ->> 'event_time' AS timestamptz) <> order_time)
        """,
    ),
    Invariant(
        name="what is decided is fixed in its order",
        violations="""
            SELECT format('%s %s', shop_order.merchant_id, shop_order.order_reference)
            FROM shop_order JOIN interaction USING (merchant_id, order_reference)
            WHERE interaction.state = 'decided'
              AND GREATEST(decided_generation, fixed_generation) < interaction.generation
        """,
    ),
    Invariant(
        name="no order is fixed that no lane is about to decide",
        violations="""
            SELECT format('%s %s', shop_order.merchant_id, shop_order.order_reference)
            FROM shop_order
            LEFT JOIN reversal ON reversal.merchant_id = shop_order.merchant_id
                              AND reversal.order_reference = shop_order.order_reference
                              AND reversal.generation = shop_order.fixed_generation
            WHERE fixed_generation > 0 AND ready_round IS NULL
              AND (reversal.reversal_id IS NULL OR reversal.drain_time IS NOT NULL)
        """,
    ),
    Invariant(
        name="what is not decided is due at some time, or taken back",
        violations="""
            SELECT format('%s %s', shop_order.merchant_id, shop_order.order_reference)
            FROM shop_order JOIN interaction USING (merchant_id, order_reference)
            LEFT JOIN reversal ON reversal.merchant_id = interaction.merchant_id
                              AND reversal.order_reference = interaction.order_reference
                              AND reversal.generation = interaction.generation
            WHERE interaction.state = 'pending' AND shop_order.due_time IS NULL
              AND (reversal.reversal_id IS NULL OR reversal.drain_time IS NOT NULL)
        """,
    ),
    Invariant(
        name="every reward of an order is of the order's time and window",
        violations="""
            SELECT format('%s: %s', reward_id, reward.event_time)
            FROM reward JOIN interaction USING (interaction_id)
            LEFT JOIN shop_order ON shop_order.merchant_id = interaction.merchant_id
                                AND shop_order.order_reference = interaction.order_reference
            WHERE reward.event_time
                      <> COALESCE(interaction.event_time, shop_order.order_time)
               OR EXISTS (
                SELECT FROM budget_entry JOIN budget_window USING (budget_item_id, start_time)
                WHERE budget_entry.reward_id = reward.reward_id
                  AND (reward.event_time < budget_window.start_time
                       OR reward.event_time >= budget_window.end_time))
        """,
    ),
    Invariant(
        name="a person is brought to a merchant once",
        violations="""
            SELECT format('%s at %s: %s times', identity_group_id, merchant_id, count(*))
            FROM interaction WHERE kind = 'referral'
            GROUP BY identity_group_id, merchant_id HAVING count(*) > 1
        """,
    ),
    Invariant(
        name="nobody is their own referrer",
        violations="""
            SELECT format('%s at %s', referrer_group_id, merchant_id) FROM referral_link
            WHERE referrer_group_id = referee_group_id
        """,
    ),
    Invariant(
        name="nobody has two referrers at one time",
        violations="""
            SELECT format('%s at %s', one.referee_group_id, one.merchant_id)
            FROM referral_link AS one JOIN referral_link AS other
              ON other.merchant_id = one.merchant_id
             AND other.referee_group_id = one.referee_group_id
             AND other.referral_link_id > one.referral_link_id
             AND tstzrange(one.start_time, one.end_time)
                 && tstzrange(other.start_time, other.end_time)
        """,
    ),
    Invariant(
        name="every granted decision has its rewards, and no other one has any",
        violations="""
            SELECT format('%s %s: %s', interaction_id, campaign_id, outcome)
            FROM decision LEFT JOIN (
                SELECT interaction_id, campaign_id, count(*) AS rewards FROM reward
                GROUP BY interaction_id, campaign_id
            ) AS made USING (interaction_id, campaign_id)
            WHERE (outcome = 'granted') <> (COALESCE(rewards, 0) > 0)
        """,
    ),
    Invariant(
        name="nothing that was taken back is still owed",
        violations="""
            SELECT format('%s of %s', reward_id, interaction.event_reference)
            FROM reward JOIN interaction USING (interaction_id)
            JOIN reversal ON reversal.merchant_id = interaction.merchant_id
                         AND reversal.order_reference = interaction.order_reference
                         AND reversal.generation = interaction.generation
            WHERE reversal.drain_time IS NOT NULL
              AND reward.state <> 'cancelled'
        """,
    ),
    Invariant(
        name="a pending reward is owed as it was granted",
        violations="""
            SELECT format('%s: %s of %s', reward_id, target_base_units, granted_base_units)
            FROM reward WHERE state = 'pending' AND target_base_units <> granted_base_units
        """,
    ),
    Invariant(
        name="an order earns in one of its lives at a time",
        violations="""
            SELECT format('%s', purchase_id) FROM reward
            WHERE state = 'pending' AND purchase_id IS NOT NULL
            GROUP BY purchase_id HAVING count(DISTINCT interaction_id) > 1
        """,
    ),
    Invariant(
        name="no life of an order is decided before those before it are taken back",
        violations="""
            SELECT format('%s, life %s', interaction.order_reference, interaction.generation)
            FROM decision JOIN interaction USING (interaction_id)
            JOIN reversal ON reversal.merchant_id = interaction.merchant_id
                         AND reversal.order_reference = interaction.order_reference
                         AND reversal.generation < interaction.generation
            WHERE reversal.drain_time IS NULL OR reversal.sequence > decision.sequence
        """,
    ),
    Invariant(
        name="nobody is rewarded for having brought themselves",
        violations="""
            SELECT format('%s to %s', reward_id, reward.identity_group_id)
            FROM reward JOIN interaction USING (interaction_id)
            WHERE reward.role = 'referrer' AND reward.state = 'pending'
              AND reward.identity_group_id::text
                  = COALESCE(interaction.identity_group_id::text, facts ->> 'person')
        """,
    ),
    Invariant(
        name="every reward took its amount from every budget item of its unit, once",
        violations="""
            SELECT format('%s from %s: %s of %s', reward_id, budget_item_id, taken,
                          granted_base_units)
            FROM reward
            JOIN decision USING (interaction_id, campaign_id)
            JOIN budget_item ON budget_item.campaign_id = reward.campaign_id
                            AND budget_item.unit = reward.unit
                            AND first_version <= rule_version
                            AND COALESCE(last_version, rule_version) >= rule_version
            LEFT JOIN (
                SELECT reward_id, budget_item_id, sum(base_units) AS taken FROM budget_entry
                WHERE kind = 'consume' GROUP BY reward_id, budget_item_id
            ) AS entries USING (reward_id, budget_item_id)
            WHERE taken IS DISTINCT FROM granted_base_units
        """,
    ),
    Invariant(
        name="a campaign decides on an event once",
        violations="""
            SELECT format('%s by %s: %s times', interaction_id, campaign_id, count(*))
            FROM decision GROUP BY interaction_id, campaign_id HAVING count(*) > 1
        """,
    ),
    Invariant(
        name="every reward of the last year has its decision",
        violations="""
            SELECT format('%s', reward_id) FROM reward
            WHERE create_time > (SELECT max(create_time) FROM reward) - interval '365 days'
              AND NOT EXISTS (
                SELECT FROM decision WHERE decision.interaction_id = reward.interaction_id
                                       AND decision.campaign_id = reward.campaign_id
                                       AND outcome = 'granted')
        """,
    ),
)
"""What holds of money at any time, as far as it can be read from the tables."""

_NO_TIMEOUT = text("SET LOCAL statement_timeout = 0")


async def check_ledger(database: Database) -> Sequence[Finding]:
    """Holds every invariant against one snapshot of the whole database."""
    findings = []
    async with database.reading() as tx:
        await tx.execute(_NO_TIMEOUT)
        for invariant in INVARIANTS:
            row = (
                await tx.execute(
                    text(
                        f"""
                        SELECT count(*) AS violations,
                               COALESCE((array_agg(broken.what))[1:{EXAMPLES_MAX}], '{{}}') AS some
                        FROM ({invariant.violations}) AS broken (what)
                        """
                    )
                )
            ).one()
            findings.append(
                Finding(
                    name=invariant.name, violation_count=row.violations, examples=tuple(row.some)
                )
            )
    return findings

{% from "infrastructure/database/newest.sql" import newest_of_states %}
-- A page of a merchant's rewards: of all, of a person, or of a purchase.
SELECT {{ columns }}, ledger_unit.decimals
FROM (
    {% if whose == "purchase" %}
    -- A purchase has few: they are read whole, whatever else is asked.
    SELECT known.* FROM (
        SELECT * FROM reward WHERE purchase_id = :purchase_id OFFSET 0
    ) AS known
    WHERE merchant_id = :merchant_id AND state = ANY(:states)
      AND (CAST(:identity_group_id AS uuid) IS NULL OR identity_group_id = :identity_group_id)
      AND reward_id >= :first_id AND reward_id < :end_id
    {% elif whose == "person" %}
    {{ newest_of_states(
        table="reward",
        columns=["identity_group_id", "merchant_id", 'state COLLATE "C"', "reward_id"],
        values=[":identity_group_id", ":merchant_id", "asked_state"],
        states=":states", first_id=":first_id", end_id=":end_id", limit=":limit",
    ) | indent(4) }}
    {% else %}
    {{ newest_of_states(
        table="reward",
        columns=['state COLLATE "C"', "merchant_id", "reward_id"],
        values=["asked_state", ":merchant_id"],
        states=":states", first_id=":first_id", end_id=":end_id", limit=":limit",
    ) | indent(4) }}
    {% endif %}
    ORDER BY reward_id DESC LIMIT :limit
) AS reward
CROSS JOIN LATERAL (
    SELECT decimals FROM ledger_unit
    WHERE merchant_id = reward.merchant_id AND unit = reward.unit OFFSET 0
) AS ledger_unit
ORDER BY reward_id DESC

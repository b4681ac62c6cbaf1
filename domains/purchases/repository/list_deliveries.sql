{% from "infrastructure/database/newest.sql" import newest_of_states %}
SELECT {{ columns }}
FROM (
    {{ newest_of_states(
        table="delivery",
        columns=['state COLLATE "C"', "merchant_id", "delivery_id"],
        values=["asked_state", ":merchant_id"],
        states=":states", first_id=":first_id", end_id=":end_id", limit=":limit",
    ) | indent(4) }}
) AS delivery
ORDER BY delivery_id DESC LIMIT :limit

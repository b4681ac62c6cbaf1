{% from "infrastructure/database/newest.sql" import newest_of_states %}
SELECT {{ columns }}
FROM (
    {{ newest_of_states(
        table="interaction",
        columns=['state COLLATE "C"', "merchant_id", "interaction_id"],
        values=["asked_state", ":merchant_id"],
        states=":states", first_id=":first_id", end_id=":end_id", limit=":limit",
    ) | indent(4) }}
) AS interaction
ORDER BY interaction_id DESC LIMIT :limit

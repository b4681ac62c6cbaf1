{% from "infrastructure/database/newest.sql" import newest_of_states %}
SELECT {{ columns }} FROM (
    {{ newest_of_states(
        table="shop_order",
        columns=['state COLLATE "C"', "merchant_id", "purchase_id"],
        values=["asked_state", ":merchant_id"],
        states=":states", first_id=":first_id", end_id=":end_id", limit=":limit",
        condition="purchase_id IS NOT NULL",
    ) | indent(4) }}
) AS shop_order
ORDER BY purchase_id DESC LIMIT :limit

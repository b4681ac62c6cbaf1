{#
What follows from an order's row as a claim or a report wrote it: columns for its RETURNING.
`old` and `new` are the row before and after.
#}
{% macro order_as_written(old="old", new="new") %}
merchant_id, order_reference, purchase_id, generation, identity_group_id, due_time,
decided_generation, {{ new }}.fixed_group_id IS NOT NULL AS is_fixed,
{{ new }}.interaction_generation > COALESCE({{ old }}.interaction_generation, 0)
    AS is_earning_now
{%- endmacro %}
{#
Makes the interaction of an order that became due when it was written. `order` is the part of the
statement that returned `order_as_written`.
#}
{% macro insert_interaction(interaction_id, order) %}
-- The order's row says that there is no such interaction, so nothing is waited for.
INSERT INTO interaction
    (interaction_id, merchant_id, kind, order_reference, generation, due_time)
SELECT {{ interaction_id }}, {{ order }}.merchant_id, 'purchase', {{ order }}.order_reference,
       {{ order }}.generation, {{ order }}.due_time
FROM {{ order }} WHERE {{ order }}.is_earning_now
{%- endmacro %}

{#
Finds the person of a browser at a merchant, or makes one: the parts `known_client`, `made_client`,
`visitor` and `made_group` of a WITH. What follows reads `visitor`, which is empty if `shop`, the
row of the merchant, is.

Race-free: another call that makes the same node first is waited for, and its group is taken.
#}
{% macro visitor_of(client_id, merchant_id, shop, new_node_id, new_group_id, now) %}
known_client AS (
    SELECT identity_group_id, share_id FROM identity_node
    WHERE kind = 'client' AND value = {{ client_id }} AND merchant_id = {{ merchant_id }}
), made_client AS (
    -- The update that changes nothing is what makes PostgreSQL return the other call's row.
    INSERT INTO identity_node
        (identity_node_id, identity_group_id, kind, value, merchant_id, create_time)
    SELECT {{ new_node_id }}, {{ new_group_id }}, 'client', {{ client_id }},
           {{ shop }}.merchant_id, {{ now }}
    FROM {{ shop }} WHERE CAST({{ client_id }} AS text) IS NOT NULL
                AND NOT EXISTS (SELECT FROM known_client)
    ON CONFLICT ON CONSTRAINT uq_identity_node_identifier
        DO UPDATE SET value = excluded.value
    RETURNING identity_group_id, share_id
), visitor AS (
    SELECT identity_group_id, share_id, false AS is_new FROM known_client
    WHERE EXISTS (SELECT FROM {{ shop }})
    UNION ALL
    SELECT identity_group_id, share_id, identity_group_id = {{ new_group_id }} FROM made_client
), made_group AS (
    INSERT INTO identity_group (identity_group_id, create_time)
    SELECT identity_group_id, {{ now }} FROM visitor WHERE is_new
)
{%- endmacro %}

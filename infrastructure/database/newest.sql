{#
The newest rows of a table in some states, a page of each: one shape for every list that is
filtered so. `columns` are those of the index that serves it, the key last; `values` are those of
all but the key, where `asked_state` is the state. The keys are from `first_id` on, before `end_id`.

One look-up for each state, from where the page begins, by an index that is all that can serve it.
That the limit is not known when it is planned keeps PostgreSQL from reading all to sort it.
#}
{% macro newest_of_states(
    table, columns, values, states, first_id, end_id, limit, condition="true"
) %}
SELECT known.* FROM unnest({{ states }}) AS asked (asked_state) CROSS JOIN LATERAL (
    SELECT * FROM {{ table }}
    WHERE {{ condition }}
      AND ({{ columns | join(", ") }}) < ({{ values | join(", ") }}, {{ end_id }})
      AND ({{ columns | join(", ") }}) >= ({{ values | join(", ") }}, {{ first_id }})
    ORDER BY {{ columns | join(" DESC, ") }} DESC
    LIMIT (SELECT CAST({{ limit }} AS bigint))
) AS known
{%- endmacro %}

{#
What an order that was fixed is once it is known whether it was decided: for the SET of an UPDATE.

Decided for good, it keeps its buyer and its times; else they are open again, with everything that
was heard meanwhile. `known` is the order's row; `life` has `generation` and `is_decided`.
#}
{% macro outcome(known, life) %}
{% set keeps = life ~ ".is_decided OR " ~ known ~ ".decided_generation > 0" %}
fixed_generation = 0,
decided_generation = CASE WHEN {{ life }}.is_decided THEN {{ life }}.generation
                          ELSE {{ known }}.decided_generation END,
fixed_group_id = CASE WHEN {{ keeps }} THEN {{ known }}.fixed_group_id END,
fixed_link = CASE WHEN {{ keeps }} THEN {{ known }}.fixed_link END,
fixed_report_time = CASE WHEN {{ keeps }} THEN {{ known }}.fixed_report_time END,
order_time = CASE WHEN {{ keeps }} THEN {{ known }}.order_time
                  ELSE COALESCE({{ known }}.heard_time, {{ known }}.order_time) END,
heard_time = NULL
{%- endmacro %}

{#
Who the first reported order of a customer shows to be its buyer, by more than a guess.

Evidence is asked, not the buyer: while a worker decides an order it has a buyer that may still be
undone, and what is heard after a decision is as true of the customer as what came before. Nothing
is kept of it beside the orders, so nothing has to follow what becomes of them.

With `receive_time` it is as a report may know it that was received then. One that is applied at a
later try knows nothing of orders that were reported since: a fault of ours would choose whose it
is. Of one that is applied at once nothing is left out: the clocks of two servers are not quite one.
#}
{% macro customer_of(merchant_id, customer_reference, receive_time=none, now=none) %}
SELECT COALESCE(claim_group_id, hint_group_id) AS identity_group_id FROM shop_order
WHERE merchant_id = {{ merchant_id }} AND customer_reference = {{ customer_reference }}
  AND COALESCE(claim_group_id, hint_group_id) IS NOT NULL
{% if receive_time %}
  AND first_report_time <= CASE
        WHEN CAST({{ receive_time }} AS timestamptz) < CAST({{ now }} AS timestamptz)
            THEN CAST({{ receive_time }} AS timestamptz)
        ELSE timestamptz 'infinity' END
{% endif %}
ORDER BY first_report_time, order_reference LIMIT 1
{%- endmacro %}

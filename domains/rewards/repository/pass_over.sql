-- Has what could not be read wait: interactions of orders, and those of referrals by their ids.
UPDATE interaction
SET due_time = :due_time, obstacle = :obstacle, wait_count = wait_count + 1, ready_round = NULL
FROM (
    SELECT interaction_id
    FROM unnest(:order_references, :generations) AS asked (asked_reference, asked_generation)
    CROSS JOIN LATERAL (
        SELECT interaction_id FROM interaction AS open
        WHERE open.merchant_id = :merchant_id AND open.order_reference = asked_reference
          AND open.generation = asked_generation AND open.state = 'pending' OFFSET 0
    ) AS of_order
    UNION ALL
    SELECT interaction_id
    FROM unnest(:interaction_ids) AS listed (listed_id) CROSS JOIN LATERAL (
        SELECT interaction_id FROM interaction AS open
        WHERE open.interaction_id = listed_id AND open.state = 'pending' OFFSET 0
    ) AS referral
    -- No limit: it keeps PostgreSQL from taking these for a large part of the table.
    LIMIT (SELECT cardinality(:interaction_ids) + cardinality(:order_references))
) AS unread
WHERE interaction.interaction_id = unread.interaction_id

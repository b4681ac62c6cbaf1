-- Gives back what rewards took and nobody gave back yet.
WITH released AS (
    -- Repeats the reward and the item of what was taken, so that it goes to the window that was
    -- charged, whatever the date.
    INSERT INTO budget_entry (reward_id, budget_item_id, kind, cause_id, start_time, base_units)
    SELECT entry.reward_id, entry.budget_item_id, 'release', freed.cause_id,
           entry.start_time, entry.base_units
    FROM unnest(:rewards, :causes) AS freed (reward_id, cause_id) CROSS JOIN LATERAL (
        SELECT * FROM budget_entry
        WHERE reward_id = freed.reward_id AND kind = 'consume' OFFSET 0
    ) AS entry
    RETURNING budget_item_id, start_time, base_units
), freed AS (
    SELECT budget_item_id, start_time, sum(base_units) AS base_units
    FROM released GROUP BY budget_item_id, start_time
), charged AS MATERIALIZED (
    -- The windows in the order of their keys, in which all who charge them lock them.
    SELECT DISTINCT entry.budget_item_id, entry.start_time
    FROM unnest(:rewards) AS freed (reward_id) CROSS JOIN LATERAL (
        SELECT budget_item_id, start_time FROM budget_entry
        WHERE reward_id = freed.reward_id OFFSET 0
    ) AS entry
    ORDER BY budget_item_id, start_time
), locked AS MATERIALIZED (
    -- Locks: windows, in that order.
    SELECT known.budget_item_id, known.start_time FROM charged CROSS JOIN LATERAL (
        SELECT budget_item_id, start_time FROM budget_window
        WHERE budget_item_id = charged.budget_item_id AND start_time = charged.start_time
        FOR NO KEY UPDATE
    ) AS known
)
UPDATE budget_window AS known
SET used_base_units = known.used_base_units - given.base_units
FROM (
    SELECT budget_item_id, start_time, base_units
    FROM locked JOIN freed USING (budget_item_id, start_time)
    -- No limit: it keeps PostgreSQL from taking these for a large part of the table.
    LIMIT (SELECT count(*) FROM locked)
) AS given
WHERE known.budget_item_id = given.budget_item_id AND known.start_time = given.start_time

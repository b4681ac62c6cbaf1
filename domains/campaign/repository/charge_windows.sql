-- Makes the windows that are missing and moves the others, which the caller has locked. A window
-- that would be above its limit is left out, so that the caller counts fewer rows than it sent.
INSERT INTO budget_window AS known
    (budget_item_id, start_time, end_time, used_base_units, refused_count, refused_base_units)
-- What had to be refused is counted as far as the column holds it.
SELECT moved.item, moved.start, moved.end_time, moved.used, moved.refusals,
       LEAST(moved.refused, {{ base_units_max }})
FROM unnest(:items, :starts, :ends, :used, :refusals, :refused)
         AS moved (item, start, end_time, used, refusals, refused)
CROSS JOIN LATERAL (
    SELECT limit_base_units FROM budget_item
    WHERE budget_item.budget_item_id = moved.item OFFSET 0
) AS item
WHERE moved.used <= item.limit_base_units
ORDER BY moved.item, moved.start
ON CONFLICT (budget_item_id, start_time) DO UPDATE
SET used_base_units = known.used_base_units + excluded.used_base_units,
    refused_count = known.refused_count + excluded.refused_count,
    refused_base_units = LEAST(known.refused_base_units + excluded.refused_base_units,
                               {{ base_units_max }})
WHERE excluded.used_base_units <= 0
   OR known.used_base_units + excluded.used_base_units <= (
       SELECT limit_base_units FROM budget_item
       WHERE budget_item.budget_item_id = known.budget_item_id)

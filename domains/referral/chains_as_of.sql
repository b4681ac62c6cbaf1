-- The people above each person that is asked about, as of a time.
WITH RECURSIVE chain AS (
    -- A path begins with the person who is asked about, and nobody is on it twice.
    SELECT ordinal, as_of, identity_group_id, ARRAY[identity_group_id] AS path
    FROM unnest(:identity_group_ids, :times)
        WITH ORDINALITY AS asked (identity_group_id, as_of, ordinal)
    UNION ALL
    SELECT chain.ordinal, chain.as_of, link.referrer_group_id,
        chain.path || link.referrer_group_id
    FROM chain CROSS JOIN LATERAL (
        SELECT referrer_group_id FROM referral_link
        WHERE merchant_id = :merchant_id
            AND referee_group_id = chain.identity_group_id
            AND start_time <= chain.as_of
            AND (end_time IS NULL OR end_time > chain.as_of)
        ORDER BY start_time DESC, referral_link_id DESC
        LIMIT 1
    ) AS link
    WHERE cardinality(chain.path) <= :depth_max
        AND link.referrer_group_id <> ALL(chain.path)
)
SELECT DISTINCT ON (ordinal) path[2:] AS above
FROM chain
ORDER BY ordinal, cardinality(path) DESC

-- The look-back comes in seconds: an interval of days would follow the session's summer time.
SELECT
    EXISTS(
        SELECT FROM (
            SELECT FROM touchpoint
            WHERE touchpoint.merchant_id = asked.merchant_id
                AND touchpoint.identity_group_id = asked.identity_group_id
                AND touchpoint.referrer_group_id = asked.referrer_group_id
                AND touchpoint.arrival_time > asked.as_of - look_back.duration
                AND touchpoint.arrival_time <= asked.as_of
            ORDER BY touchpoint.arrival_time DESC LIMIT 1
        ) AS touch
    ) AS touched_by_referrer,
    newest.touchpoint_id, newest.source, newest.utm
FROM make_interval(secs => :look_back_seconds) AS look_back (duration)
CROSS JOIN unnest(:merchant_ids, :identity_group_ids, :referrer_group_ids, :times)
    WITH ORDINALITY
    AS asked (merchant_id, identity_group_id, referrer_group_id, as_of, ordinal)
LEFT JOIN LATERAL (
    -- The newest of each door: one step into the index however often somebody came.
    SELECT touch.* FROM unnest(CAST(:sources AS text[])) AS door (source), LATERAL (
        SELECT touchpoint_id, source, utm, arrival_time FROM touchpoint
        WHERE touchpoint.merchant_id = asked.merchant_id
            AND touchpoint.identity_group_id = asked.identity_group_id
            AND touchpoint.source = door.source
            AND touchpoint.arrival_time > asked.as_of - look_back.duration
            AND touchpoint.arrival_time <= asked.as_of
        ORDER BY arrival_time DESC, touchpoint_id DESC LIMIT 1
    ) AS touch
    ORDER BY (touch.source = 'referral_link') DESC, touch.arrival_time DESC,
        touch.touchpoint_id DESC
    LIMIT 1
) AS newest ON true
ORDER BY asked.ordinal

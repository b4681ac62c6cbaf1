-- Keeps a delivery that was not applied. If it was applied before it stays as it is; if it failed
-- or is dead it stays of when it first came.
INSERT INTO delivery AS known (merchant_id, delivery_id, platform, signed_digest,
                               event_reference, headers, body, state, failure,
                               passed_over, failure_count, receive_time, body_time,
                               try_time, retry_time)
VALUES (:merchant_id, :delivery_id, :platform, :signed_digest, :event_reference, :headers,
        :body, :state, :failure, :passed_over,
        CASE WHEN CAST(:passed_over AS text) = '' THEN 1 ELSE 0 END,
        :receive_time, :body_time, :now, :retry_time)
ON CONFLICT (merchant_id, platform, signed_digest) DO UPDATE
SET state = excluded.state, failure = excluded.failure, passed_over = excluded.passed_over,
    retry_time = excluded.retry_time,
    receive_time = LEAST(known.receive_time, excluded.receive_time),
    body_time = LEAST(known.body_time, excluded.body_time),
    -- Whoever sends a dead one again wants it to be tried as often as a new one.
    try_count = CASE WHEN known.state = 'dead' AND excluded.state = 'failed' THEN 0
                     ELSE known.try_count END,
    try_time = excluded.try_time
WHERE known.state IN ('failed', 'dead')
RETURNING delivery_id

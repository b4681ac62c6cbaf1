{% from "orchestration/arrival/visitor.sql" import visitor_of %}
-- Writes everything of an arrival: people that are new, the touch, and who brought whom.
--
-- What a statement does not need costs time all the same: PostgreSQL would plan it, and the parts
-- that depend on a parameter keep it from ever keeping a plan. So there are three variants:
-- without a referrer, with one, and with one for an arrival of the past.
WITH RECURSIVE shop AS (
    SELECT merchant_id, look_back, attribution_model FROM merchant
    WHERE merchant_id = :merchant_id
),
{{ visitor_of(
    client_id=":client_id", merchant_id=":merchant_id", shop="shop",
    new_node_id=":new_node_id", new_group_id=":new_group_id", now=":now",
) }},
{% if with_referrer %}
known_referrer AS (
    -- By what the link names, the wallet first.
    SELECT identity_group_id FROM (
        SELECT identity_group_id, 1 AS preference FROM identity_node
        WHERE kind = 'wallet' AND value = :referrer_wallet AND merchant_id IS NULL
        UNION ALL
        SELECT identity_group_id, 2 FROM identity_node
        WHERE share_id = CAST(:referrer_share_id AS uuid)
        UNION ALL
        SELECT identity_group_id, 3 FROM identity_node
        WHERE kind = 'client' AND value = :referrer_client_id
          AND merchant_id = :referrer_merchant_id
        UNION ALL
        -- The visitor's own browser, seen for the first time: a link to oneself.
        SELECT identity_group_id, 4 FROM visitor
        WHERE is_new AND :referrer_client_id = :client_id
          AND :referrer_merchant_id = :merchant_id
    ) AS found ORDER BY preference LIMIT 1
), made_referrer AS (
    -- A wallet that shared a link is a person, whether or not we have met them.
    INSERT INTO identity_node
        (identity_node_id, identity_group_id, kind, value, merchant_id, create_time)
    SELECT :new_referrer_node_id, :new_referrer_group_id, 'wallet', :referrer_wallet, NULL, :now
    FROM shop WHERE CAST(:referrer_wallet AS text) IS NOT NULL
                AND NOT EXISTS (SELECT FROM known_referrer)
    ON CONFLICT ON CONSTRAINT uq_identity_node_identifier
        DO UPDATE SET value = excluded.value
    RETURNING identity_group_id
), made_referrer_group AS (
    INSERT INTO identity_group (identity_group_id, create_time)
    SELECT identity_group_id, :now FROM made_referrer
    WHERE identity_group_id = :new_referrer_group_id
), referrer AS (
    SELECT identity_group_id FROM known_referrer WHERE EXISTS (SELECT FROM shop)
    UNION ALL
    SELECT identity_group_id FROM made_referrer
),
{% else %}
referrer AS (SELECT CAST(NULL AS uuid) AS identity_group_id WHERE false),
{% endif %}
newest AS (
    -- The visitor's last arrival: the newest of each door, then the newest of those.
    SELECT touch.* FROM visitor, unnest(ARRAY[{{ doors }}]) AS door (source),
    LATERAL (
        SELECT touchpoint_id, source, referrer_group_id, landing_url, utm, arrival_time
        FROM touchpoint
        WHERE touchpoint.merchant_id = :merchant_id
          AND touchpoint.identity_group_id = visitor.identity_group_id
          AND touchpoint.source = door.source
          AND touchpoint.arrival_time <= :event_time
        ORDER BY arrival_time DESC, touchpoint_id DESC LIMIT 1
    ) AS touch
    WHERE NOT visitor.is_new
    ORDER BY touch.arrival_time DESC, touch.touchpoint_id DESC LIMIT 1
), followed AS (
    -- By whose link. One's own, and one of nobody that is known, brought nobody.
    SELECT other.referrer_group_id,
           CASE WHEN other.referrer_group_id IS NULL THEN :source
                ELSE {{ referral_link }} END AS source
    FROM visitor LEFT JOIN referrer ON true, LATERAL (
        SELECT NULLIF(referrer.identity_group_id, visitor.identity_group_id)
                   AS referrer_group_id
    ) AS other
), repeated AS (
    -- A page that is opened again and again is one arrival a minute.
    SELECT newest.touchpoint_id
    FROM newest, followed
    WHERE newest.arrival_time > CAST(:event_time AS timestamptz) - interval '1 minute'
      AND newest.source = followed.source AND newest.landing_url = :landing_url
      AND newest.utm IS NOT DISTINCT FROM CAST(:utm AS jsonb)
      AND newest.referrer_group_id IS NOT DISTINCT FROM followed.referrer_group_id
), touched AS (
    INSERT INTO touchpoint
        (merchant_id, touchpoint_id, identity_group_id, source, referrer_group_id,
         landing_url, utm, arrival_time)
    SELECT :merchant_id, :touchpoint_id, visitor.identity_group_id, followed.source,
           followed.referrer_group_id, :landing_url, CAST(:utm AS jsonb), :event_time
    FROM visitor, followed
    WHERE NOT EXISTS (SELECT FROM repeated)
){{ "," if with_referrer }}
{% if with_referrer %}
candidate AS (
    -- Who may refer whom. Needs the merchant's referral lock, which a statement before this one
    -- takes, unless the visitor is made here: nobody is above somebody who was not there.
    SELECT referrer.identity_group_id AS referrer_group_id,
           visitor.identity_group_id AS referee_group_id
    FROM visitor JOIN referrer ON referrer.identity_group_id <> visitor.identity_group_id
    WHERE visitor.is_new OR :locked
), active AS (
    -- The link that holds now, and whether the new one may replace it: by the merchant's model.
    SELECT link.referral_link_id, link.start_time,
           link.referrer_group_id = candidate.referrer_group_id AS is_same,
           shop.attribution_model = 'last_touch' OR NOT EXISTS (
               SELECT FROM (
                   SELECT FROM touchpoint
                   WHERE touchpoint.merchant_id = :merchant_id
                     AND touchpoint.identity_group_id = candidate.referee_group_id
                     AND touchpoint.referrer_group_id = link.referrer_group_id
                     AND touchpoint.arrival_time > :event_time - shop.look_back
                     AND touchpoint.arrival_time <= :event_time
                   ORDER BY touchpoint.arrival_time DESC LIMIT 1
               ) AS touch
           ) AS is_over
    FROM candidate, LATERAL (
        SELECT referral_link_id, referrer_group_id, start_time FROM referral_link
        WHERE merchant_id = :merchant_id
          AND referee_group_id = candidate.referee_group_id AND end_time IS NULL
        ORDER BY start_time DESC, referral_link_id DESC LIMIT 1
    ) AS link, shop
), ancestor (identity_group_id, depth) AS (
    -- Somebody who is seen for the first time is above nobody. A circle that is longer than
    -- any rule looks does no harm, so the walk ends there.
    SELECT referrer_group_id, 1 FROM candidate, visitor WHERE NOT visitor.is_new
    UNION ALL
    SELECT link.referrer_group_id, ancestor.depth + 1
    FROM ancestor, LATERAL (
        (SELECT referrer_group_id FROM referral_link
         WHERE merchant_id = :merchant_id AND referee_group_id = ancestor.identity_group_id
           AND end_time IS NULL
         ORDER BY start_time DESC, referral_link_id DESC LIMIT 1)
        {% if of_the_past %}
        UNION ALL
        -- For arrivals of the past: links of the time from which the new one holds.
        (SELECT referrer_group_id FROM referral_link
         WHERE merchant_id = :merchant_id AND referee_group_id = ancestor.identity_group_id
           AND end_time > :event_time
         ORDER BY start_time DESC, referral_link_id DESC LIMIT {{ past_links_max }})
        {% endif %}
    ) AS link
    WHERE ancestor.depth < {{ depth_max }}
), accepted AS (
    SELECT candidate.* FROM candidate
    WHERE NOT EXISTS (SELECT FROM active WHERE is_same OR NOT is_over
                                           OR active.start_time > :event_time)
      AND candidate.referee_group_id NOT IN (SELECT identity_group_id FROM ancestor)
), brought_before AS (
    SELECT FROM candidate, LATERAL (
        SELECT FROM referral_link
        WHERE merchant_id = :merchant_id
          AND referee_group_id = candidate.referee_group_id
        ORDER BY start_time DESC, referral_link_id DESC LIMIT 1
    ) AS link
), ended AS (
    UPDATE referral_link AS link SET end_time = :event_time, end_reason = 'replaced'
    WHERE link.merchant_id = :merchant_id
      AND link.referral_link_id = (SELECT active.referral_link_id FROM active, accepted)
    RETURNING link.referral_link_id
), linked AS (
    INSERT INTO referral_link
        (merchant_id, referral_link_id, referrer_group_id, referee_group_id, start_time,
         create_time)
    SELECT :merchant_id, :new_link_id, accepted.referrer_group_id, accepted.referee_group_id,
           :event_time, :now
    -- The old link ends before the new one begins: the count makes this wait for it.
    FROM accepted, (SELECT count(*) FROM ended) AS done
    RETURNING referral_link_id, referee_group_id
), noted AS (
    -- A person is brought to a merchant once, however often their referrer changes.
    INSERT INTO interaction
        (interaction_id, merchant_id, kind, identity_group_id, referral_link_id, event_time,
         referral_reference, due_time)
    SELECT :new_interaction_id, :merchant_id, 'referral', referee_group_id, referral_link_id,
           :event_time, :referral_reference, GREATEST(:event_time, :now)
    FROM linked WHERE NOT EXISTS (SELECT FROM brought_before)
)
SELECT visitor.identity_group_id, visitor.share_id, linked.referral_link_id,
       COALESCE((SELECT touchpoint_id FROM repeated), :touchpoint_id) AS touchpoint_id,
       NOT visitor.is_new AND NOT :locked AND EXISTS (SELECT FROM referrer) AS is_undecided
FROM visitor LEFT JOIN linked ON true
{% else %}
SELECT visitor.identity_group_id, visitor.share_id, CAST(NULL AS uuid) AS referral_link_id,
       COALESCE((SELECT touchpoint_id FROM repeated), :touchpoint_id) AS touchpoint_id,
       false AS is_undecided
FROM visitor
{% endif %}

-- Campaigns with their newest rule: one, a page, or those that may pay.
SELECT {{ columns }}, campaign_rule_version.rule,
       campaign_rule_version.create_time AS version_time,
       -- The items of a campaign's budget come with it as JSON, so that a list of campaigns is one
       -- statement.
       COALESCE((SELECT jsonb_agg(jsonb_build_object(
                     'budget_item_id', item.budget_item_id,
                     'label', item.label,
                     'asset', item.asset,
                     'unit', item.unit,
                     'unit_decimals', item.unit_decimals,
                     'limit', item.limit_base_units::text,
                     'limit_ever', item.limit_ever_base_units::text,
                     'first_version', item.first_version,
                     'last_version', item.last_version,
                     'window_kind', item.window_kind,
                     'window_microseconds',
                         (EXTRACT(epoch FROM item.window_duration) * 1000000)::bigint,
                     'time_zone', item.time_zone) ORDER BY item.position)
                 FROM budget_item AS item
                 WHERE item.campaign_id = campaign.campaign_id), '[]') AS budget
FROM campaign
JOIN campaign_rule_version
  ON campaign_rule_version.campaign_id = campaign.campaign_id
 AND campaign_rule_version.version = campaign.rule_version
{% if which in ("one", "one to change") %}
WHERE merchant_id = :merchant_id AND campaign.campaign_id = :campaign_id
{% if which == "one to change" %}
-- Locks: the campaign.
FOR NO KEY UPDATE OF campaign
{% endif %}
{% elif which == "page" %}
WHERE merchant_id = :merchant_id
  AND (CAST(:after_priority AS int) IS NULL
       OR (-priority, campaign.campaign_id) > (-:after_priority, CAST(:after_id AS uuid)))
ORDER BY priority DESC, campaign.campaign_id
LIMIT :limit
{% elif which == "paying" %}
WHERE merchant_id = :merchant_id AND state IN ('active', 'paused')
ORDER BY priority DESC, campaign.campaign_id
-- Locks: the campaigns, against a change of state until the decisions that relied on it are
-- committed.
FOR SHARE OF campaign
{% endif %}

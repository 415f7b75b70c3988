-- The news that are told together: of each channel its unsent rows about the campaign of its oldest one, and no more than
-- :most of them. Members of :rows are workspace, channel. One statement, for a morning has a thousand channels.
SELECT o.workspace_id, o.channel, o.id, o.piece_id, o.status, o.campaign_id
FROM json_array_elements(CAST(:rows AS JSON)) r(value)
JOIN LATERAL (SELECT f.campaign_id FROM outbox f
              WHERE f.workspace_id = CAST(r.value ->> 0 AS BIGINT) AND f.channel = r.value ->> 1
                AND f.sent_at IS NULL AND f.status IN :known ORDER BY f.id LIMIT 1) oldest ON true
JOIN LATERAL (SELECT n.workspace_id, n.channel, n.id, n.piece_id, n.status, n.campaign_id FROM outbox n
              WHERE n.workspace_id = CAST(r.value ->> 0 AS BIGINT) AND n.channel = r.value ->> 1
                AND n.sent_at IS NULL AND n.status IN :known AND n.campaign_id = oldest.campaign_id
              ORDER BY n.id LIMIT :most) o ON true
ORDER BY o.id

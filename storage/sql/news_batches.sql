-- The news that are told together: of each channel its unsent rows about the campaign of its oldest one, and no more than
-- :most of them. Members of :rows are workspace, channel.
SELECT o.workspace_id, o.channel, o.id, o.piece_id, o.status, o.campaign_id
FROM json_each(:rows) r CROSS JOIN outbox o
WHERE o.id IN (SELECT n.id FROM outbox n
               WHERE n.workspace_id = (r.value ->> 0) AND n.channel = r.value ->> 1 AND n.sent_at IS NULL
                 AND n.status IN :known
                 AND n.campaign_id = (SELECT f.campaign_id FROM outbox f
                                      WHERE f.workspace_id = (r.value ->> 0) AND f.channel = r.value ->> 1
                                        AND f.sent_at IS NULL AND f.status IN :known ORDER BY f.id LIMIT 1)
               ORDER BY n.id LIMIT :most)
ORDER BY o.id

-- The news that are told together: a channel's unsent rows about the campaign of its oldest one.
SELECT o.id, o.piece_id, o.status, o.campaign_id FROM outbox o
WHERE o.workspace_id = :workspace AND o.channel = :channel AND o.sent_at IS NULL AND o.status IN :known
  AND o.campaign_id = (SELECT f.campaign_id FROM outbox f
                       WHERE f.workspace_id = :workspace AND f.channel = :channel AND f.sent_at IS NULL
                         AND f.status IN :known ORDER BY f.id LIMIT 1)
ORDER BY o.id LIMIT :most

-- The channels of `due`, without those that another process is taking just now.
SELECT d.workspace_id, d.channel, d.token, d.tries, d.doubt_since IS NOT NULL AS doubted
FROM (SELECT c.workspace_id, c.channel, row_number() OVER (PARTITION BY c.workspace_id ORDER BY (
                 SELECT o.id FROM outbox o
                 WHERE o.workspace_id = c.workspace_id AND o.channel = c.channel AND o.sent_at IS NULL
                   AND o.status IN :known ORDER BY o.id LIMIT 1)) AS turn
      FROM channels c
      WHERE (c.next_at <= :now OR c.next_at > :far) AND (c.lease_until <= :now OR c.lease_until > :leased)
        AND (c.muted_until IS NULL OR c.muted_until <= :now OR c.muted_until > :muted)
        AND NOT coalesce(c.hush_from <= :now AND c.hush_until > :now AND c.hush_until <= :day, false)
        AND c.workspace_id NOT IN :busy
        AND (SELECT o.created_at <= :settled OR o.created_at > :now FROM outbox o
             WHERE o.workspace_id = c.workspace_id AND o.channel = c.channel AND o.sent_at IS NULL
               AND o.status IN :known ORDER BY o.id LIMIT 1)) first
JOIN channels d ON d.workspace_id = first.workspace_id AND d.channel = first.channel
WHERE (d.next_at <= :now OR d.next_at > :far) AND (d.lease_until <= :now OR d.lease_until > :leased)
ORDER BY first.turn LIMIT :limit FOR UPDATE OF d SKIP LOCKED

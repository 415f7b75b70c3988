-- Which channels are to be told now: one that has unsent news whose burst has settled, that rests no more, is not muted
-- or in its quiet hours, and that nobody holds. Each workspace's channels take turns, the longest waiting first.
-- A moment beyond all that we write (:far, :leased, :muted, :day) was written by a wrong clock, and does not count.
-- News of a status that a later version wrote waits for that version. One look at the oldest unsent row of each
-- channel: what it costs depends on the channels, not on the rows.
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
ORDER BY first.turn LIMIT :limit

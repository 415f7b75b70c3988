-- Widens the campaigns' spans, from the first to the last piece that was handed over and delivered, by what is new, and
-- notes when a campaign last moved.
-- The same by the history of pieces that came into another campaign: they bring it with them, and that moves it.
-- Campaigns are locked in their order.
UPDATE campaigns SET
    handed_over_first = CASE WHEN campaigns.handed_over_first <= s.handed_first
        THEN campaigns.handed_over_first ELSE coalesce(s.handed_first, campaigns.handed_over_first) END,
    handed_over_last = CASE WHEN campaigns.handed_over_last >= s.handed_last
        THEN campaigns.handed_over_last ELSE coalesce(s.handed_last, campaigns.handed_over_last) END,
    delivered_first = CASE WHEN campaigns.delivered_first <= s.landed_first
        THEN campaigns.delivered_first ELSE coalesce(s.landed_first, campaigns.delivered_first) END,
    delivered_last = CASE WHEN campaigns.delivered_last >= s.landed_last
        THEN campaigns.delivered_last ELSE coalesce(s.landed_last, campaigns.delivered_last) END,
    changed_at = CASE WHEN s.moved = 0 OR campaigns.changed_at >= :now THEN campaigns.changed_at ELSE :now END
FROM (SELECT c.id, span.* FROM (
          SELECT r.campaign_id,
              min(CASE WHEN r.status = :handed THEN r.occurred_at END) AS handed_first,
              max(CASE WHEN r.status = :handed THEN r.occurred_at END) AS handed_last,
              min(CASE WHEN r.status = :landed THEN r.occurred_at END) AS landed_first,
              max(CASE WHEN r.status = :landed THEN r.occurred_at END) AS landed_last,
              max(r.moved) AS moved
          FROM (
              SELECT p.campaign_id, c.status, c.occurred_at, 1 AS moved
              FROM stage_met m
              JOIN LATERAL (SELECT * FROM pieces p
                            WHERE p.workspace_id = :workspace AND p.id = m.piece_id OFFSET 0) p ON true
              JOIN LATERAL (SELECT * FROM changes c
                            WHERE c.workspace_id IN (0, :workspace) AND c.piece_id = m.piece_id AND c.status IN (:handed, :landed) OFFSET 0) c ON true
              WHERE NOT m.arrived AND p.campaign_id <> m.campaign_id) r
          WHERE r.campaign_id <> 0 GROUP BY r.campaign_id) span
      JOIN campaigns c ON c.workspace_id = :workspace AND c.id = span.campaign_id ORDER BY c.id FOR UPDATE OF c) s
WHERE campaigns.workspace_id = :workspace AND campaigns.id = s.id

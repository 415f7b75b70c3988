-- Widens the campaigns' spans, from the first to the last piece that was handed over and delivered, by what is new, and
-- notes when a campaign last moved.
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
              SELECT campaign_id, status, occurred_at, 0 AS moved
              FROM stage_known WHERE piece_id IS NOT NULL AND status IN (:handed, :landed)
              UNION ALL SELECT campaign_id, :other, occurred_at, 1 FROM stage_moves WHERE status <> was) r
          WHERE r.campaign_id <> 0 GROUP BY r.campaign_id) span
      JOIN campaigns c ON c.workspace_id = :workspace AND c.id = span.campaign_id ORDER BY c.id FOR UPDATE OF c) s
WHERE campaigns.workspace_id = :workspace AND campaigns.id = s.id

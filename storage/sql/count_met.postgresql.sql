-- What the batch's pieces count for now, and no longer count for: differences, summed.
-- Also those that were described: they may have come into another campaign, or cost something else.
INSERT INTO tally_deltas (workspace_id, campaign_id, day, status, pieces, cost)
SELECT CAST(:workspace AS INTEGER), campaign_id, day, status, sum(n), sum(cost) FROM (
    SELECT v.campaign_id, v.day, v.was AS status, -1 AS n, -v.cost AS cost
    FROM stage_moves v WHERE v.status <> v.was AND NOT EXISTS (SELECT 1 FROM stage_met m WHERE m.piece_id = v.piece_id)
    UNION ALL SELECT v.campaign_id, v.day, v.status, 1, v.cost
    FROM stage_moves v WHERE v.status <> v.was AND NOT EXISTS (SELECT 1 FROM stage_met m WHERE m.piece_id = v.piece_id)
    UNION ALL SELECT campaign_id, day, status, -1, -cost FROM stage_met WHERE NOT arrived
    UNION ALL SELECT p.campaign_id, p.day, p.status, 1, coalesce(p.cost, 0)
    FROM stage_met m
    JOIN LATERAL (SELECT * FROM pieces p WHERE p.workspace_id = :workspace AND p.id = m.piece_id OFFSET 0) p ON true) net
GROUP BY campaign_id, day, status HAVING sum(n) <> 0 OR sum(cost) <> 0

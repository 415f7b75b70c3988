-- The same, and locks them, in the order of their ids: who merges the same pieces waits, and nobody crosses.
INSERT INTO stage_met (piece_id, ref, arrived, placed, campaign_id, day, status, cost)
SELECT p.id, p.ref, false, p.placed, p.campaign_id, p.day, p.status, coalesce(p.cost, 0)
FROM (SELECT ref FROM stage_pieces ORDER BY ref) s
JOIN LATERAL (SELECT * FROM pieces p WHERE p.workspace_id = :workspace AND p.ref = s.ref FOR UPDATE) p ON true
WHERE NOT EXISTS (SELECT 1 FROM stage_met m WHERE m.piece_id = p.id)

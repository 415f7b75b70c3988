-- Lists the described pieces that we have rows of, with how they were counted before this batch.
INSERT INTO stage_met (piece_id, ref, arrived, placed, campaign_id, day, status, cost)
SELECT p.id, p.ref, false, p.placed, p.campaign_id, p.day, p.status, coalesce(p.cost, 0)
FROM (SELECT ref FROM stage_pieces ORDER BY ref) s
CROSS JOIN pieces p ON p.workspace_id = :workspace AND p.ref = s.ref
WHERE NOT EXISTS (SELECT 1 FROM stage_met m WHERE m.piece_id = p.id)

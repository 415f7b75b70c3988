-- Waits for whoever is placing one of these pieces, and looks again: one of the two must see what the other did.
WITH open AS (
    SELECT p.id, p.campaign_id, p.placed
    FROM (SELECT DISTINCT ref, piece_id FROM stage_known WHERE NOT placed ORDER BY ref) k
    JOIN LATERAL (SELECT * FROM pieces p WHERE p.workspace_id = :workspace AND p.id = k.piece_id FOR UPDATE) p ON true)
UPDATE stage_known SET placed = open.placed, campaign_id = open.campaign_id
FROM open WHERE open.id = stage_known.piece_id AND open.placed

-- The same: pieces that arrived without their timeline.
INSERT INTO due_details (workspace_id, urgency, piece_id)
SELECT CAST(:workspace AS INTEGER), CASE WHEN m.placed THEN :others ELSE :unplaced END, m.piece_id
FROM stage_met m JOIN stage_pieces s ON s.ref = m.ref
WHERE m.arrived AND NOT s.detailed
ORDER BY m.piece_id
ON CONFLICT DO NOTHING

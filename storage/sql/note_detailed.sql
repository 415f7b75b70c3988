-- Pieces that came with their timelines: these need not be fetched any more. Every urgency is named, so that each is
-- found by its key.
DELETE FROM due_details WHERE (workspace_id, urgency, piece_id) IN (
    SELECT CAST(:workspace AS INTEGER), u.urgency, m.piece_id
    FROM stage_met m CROSS JOIN stage_pieces s ON s.ref = m.ref
    CROSS JOIN (SELECT CAST(:unplaced AS INTEGER) AS urgency UNION ALL SELECT :returned UNION ALL SELECT :others
                UNION ALL SELECT :later) u
    WHERE s.detailed)

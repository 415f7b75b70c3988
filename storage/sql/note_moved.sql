-- Whose own timeline is to be fetched next, and how soon: pieces that moved, unless they came by an import.
INSERT INTO due_details (workspace_id, urgency, piece_id)
SELECT CAST(:workspace AS INTEGER),
       CASE WHEN NOT placed THEN :unplaced WHEN status = :back THEN :returned ELSE :others END, piece_id
FROM stage_moves WHERE status <> was AND source <> :imported
ORDER BY piece_id
ON CONFLICT DO NOTHING

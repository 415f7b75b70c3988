-- Keeps the changes with a moment of their own. Their key holds that moment: nothing about it can become earlier.
INSERT INTO changes (workspace_id, piece_id, status, moment_key, place, word, occurred_at, recorded_at, source)
SELECT CAST(:workspace AS INTEGER), piece_id, status, moment_key, place, word, occurred_at, recorded_at, source
FROM stage_known WHERE piece_id IS NOT NULL AND moment_key <> :epoch
ORDER BY piece_id, status, moment_key
ON CONFLICT DO NOTHING

-- The same. Its key has a name here: where the tables are partitioned, it begins with the workspace.
INSERT INTO changes (workspace_id, piece_id, status, moment_key, place, word, occurred_at, recorded_at, source)
SELECT CAST(:workspace AS INTEGER), piece_id, status, moment_key, place, word, occurred_at, recorded_at, source
FROM stage_known WHERE piece_id IS NOT NULL AND moment_key = :epoch
ORDER BY piece_id, status
ON CONFLICT ON CONSTRAINT pk_changes
DO UPDATE SET occurred_at = excluded.occurred_at WHERE excluded.occurred_at < changes.occurred_at

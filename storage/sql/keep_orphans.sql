-- Keeps the changes of pieces that we do not know yet; of the same one the earliest moment.
INSERT INTO orphans (workspace_id, ref, status, moment_key, place, word, occurred_at, recorded_at, source)
SELECT CAST(:workspace AS INTEGER), ref, status, moment_key, place, word, occurred_at, recorded_at, source
FROM stage_known WHERE piece_id IS NULL
ORDER BY ref
ON CONFLICT (workspace_id, ref, status, moment_key, place, word)
DO UPDATE SET occurred_at = excluded.occurred_at WHERE excluded.occurred_at < orphans.occurred_at

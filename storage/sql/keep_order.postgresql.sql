-- The same.
UPDATE stage_known k SET recorded_at = (
    SELECT min(e.recorded_at) + INTERVAL '1 microsecond' FROM changes e
    WHERE e.workspace_id IN (0, :workspace) AND e.piece_id = k.piece_id AND e.recorded_at > :heard)
WHERE k.moment_key = :epoch AND k.source = :poll AND k.status IN :notable
  AND EXISTS (SELECT 1 FROM changes e
              WHERE e.workspace_id IN (0, :workspace) AND e.piece_id = k.piece_id AND e.recorded_at > :heard)
  AND NOT EXISTS (SELECT 1 FROM changes e
                  WHERE e.workspace_id IN (0, :workspace) AND e.piece_id = k.piece_id AND e.recorded_at < k.recorded_at)

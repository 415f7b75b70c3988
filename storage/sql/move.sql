-- Moves the pieces. It changed only where its status did: an earlier moment of the same is no news.
UPDATE pieces SET status = m.status, status_at = m.occurred_at,
    changed_at = CASE WHEN m.status <> m.was OR pieces.changed_at IS NULL THEN :now ELSE pieces.changed_at END
FROM stage_moves m WHERE pieces.id = m.piece_id
  AND pieces.workspace_id = :workspace -- divided

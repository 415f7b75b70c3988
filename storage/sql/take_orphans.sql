-- Takes out what was heard of the new pieces before they arrived.
DELETE FROM orphans
WHERE workspace_id = :workspace
  AND ref IN (SELECT m.ref FROM stage_met m
              WHERE m.arrived AND EXISTS (SELECT 1 FROM orphans o WHERE o.workspace_id = :workspace AND o.ref = m.ref))
RETURNING ref, status, moment_key, place, word, occurred_at, recorded_at, source

-- What a poll says for the first time of where a piece is, without a moment, stands after what was known of the piece by
-- then, also where a process whose clock is ahead heard of that: later nobody could tell which of the two came first.
-- What bears a later moment than the last of this batch (:heard) was known before it.
UPDATE stage_known SET recorded_at = (
    SELECT min(e.recorded_at) + 1 FROM changes e WHERE e.piece_id = stage_known.piece_id AND e.recorded_at > :heard)
WHERE moment_key = :epoch AND source = :poll AND status IN :notable
  AND EXISTS (SELECT 1 FROM changes e WHERE e.piece_id = stage_known.piece_id AND e.recorded_at > :heard)
  AND NOT EXISTS (SELECT 1 FROM changes e
                  WHERE e.piece_id = stage_known.piece_id AND e.recorded_at < stage_known.recorded_at)

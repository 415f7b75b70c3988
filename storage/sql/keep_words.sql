-- Keeps the foreign word that the platform says of a piece; of several the last in the alphabet, so that their order
-- does not matter.
UPDATE pieces SET word = w.word
FROM (SELECT piece_id, max(word) AS word FROM stage_known
      WHERE word <> '' AND moment_key = :epoch GROUP BY piece_id) w
WHERE pieces.id = w.piece_id AND w.word > pieces.word
  AND pieces.workspace_id = :workspace -- divided

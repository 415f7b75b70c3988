-- The words that the platform says of a campaign's pieces and nobody here knows, of the first pieces that have one.
SELECT DISTINCT word FROM
  (SELECT word FROM pieces
   WHERE workspace_id = :workspace AND campaign_id = :campaign AND status = :other AND word <> ''
   ORDER BY id LIMIT :most) met
ORDER BY word

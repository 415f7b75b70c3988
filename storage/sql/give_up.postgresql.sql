-- Ends what has waited too long in channels that were tried often enough: members of :rows are workspace, channel,
-- reason.
UPDATE outbox SET sent_at = :now, refusal = r.value ->> 2
FROM json_array_elements(CAST(:rows AS JSON)) r(value)
WHERE outbox.workspace_id = CAST(r.value ->> 0 AS BIGINT)
  AND outbox.channel = r.value ->> 1 AND sent_at IS NULL AND created_at < :old
  AND EXISTS (SELECT 1 FROM channels c WHERE c.workspace_id = outbox.workspace_id AND c.channel = outbox.channel
              AND c.tries >= :tries)

-- Ends rows of the outbox, told or refused: members of :rows are row, message, reason, workspace. One statement, for most of a
-- morning's work is in these rows.
UPDATE outbox SET sent_at = :now, message_ts = r.value ->> 1, refusal = r.value ->> 2
FROM json_array_elements(CAST(:rows AS JSON)) r(value)
WHERE outbox.workspace_id = CAST(r.value ->> 3 AS INTEGER) AND outbox.id = CAST(r.value ->> 0 AS BIGINT)

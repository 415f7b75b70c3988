-- Ends rows of the outbox, told or refused: members of :rows are row, message, reason, workspace. One statement, for most of a
-- morning's work is in these rows.
UPDATE outbox SET sent_at = :now, message_ts = r.value ->> 1, refusal = r.value ->> 2
FROM json_each(:rows) r WHERE outbox.id = (r.value ->> 0)

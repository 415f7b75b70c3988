-- Gives channels back, whose token is still ours: members of :rows are workspace, channel, token, rest in
-- microseconds, whether something was told, whether it failed, whether it is in doubt. What was told proves that
-- nothing stands in the channel's way.
UPDATE channels SET lease_until = :never, next_at = :now + CAST(r.value ->> 3 AS BIGINT) * INTERVAL '1 microsecond',
    blocked = CASE WHEN CAST(r.value ->> 4 AS BIGINT) = 1 THEN '' ELSE blocked END,
    tries = CASE WHEN CAST(r.value ->> 5 AS BIGINT) = 0 THEN 0 WHEN tries < 100 THEN tries + 1 ELSE tries END,
    doubt_since = CASE WHEN CAST(r.value ->> 6 AS BIGINT) = 1 THEN doubt_since END
FROM json_array_elements(CAST(:rows AS JSON)) r(value)
WHERE channels.workspace_id = CAST(r.value ->> 0 AS BIGINT) AND channels.channel = r.value ->> 1
  AND channels.token = CAST(r.value ->> 2 AS BIGINT)
RETURNING channels.workspace_id, channels.channel

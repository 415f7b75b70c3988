-- Gives channels back, whose token is still ours: members of :rows are workspace, channel, token, rest in
-- microseconds, whether something was told, whether it failed, whether it is in doubt. What was told proves that
-- nothing stands in the channel's way.
UPDATE channels SET lease_until = :never, next_at = :now + (r.value ->> 3),
    blocked = CASE WHEN (r.value ->> 4) = 1 THEN '' ELSE blocked END,
    tries = CASE WHEN (r.value ->> 5) = 0 THEN 0 WHEN tries < 100 THEN tries + 1 ELSE tries END,
    doubt_since = CASE WHEN (r.value ->> 6) = 1 THEN doubt_since END
FROM json_each(:rows) r
WHERE channels.workspace_id = (r.value ->> 0) AND channels.channel = r.value ->> 1 AND channels.token = (r.value ->> 2)
RETURNING channels.workspace_id, channels.channel

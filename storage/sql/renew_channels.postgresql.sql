-- Holds channels on, whose token is still ours: members of :rows are workspace, channel, token. A channel that was
-- given back under this token a moment ago is free, and must not be held again by nobody.
UPDATE channels SET lease_until = :until
FROM json_array_elements(CAST(:rows AS JSON)) r(value)
WHERE channels.workspace_id = CAST(r.value ->> 0 AS BIGINT) AND channels.channel = r.value ->> 1
  AND channels.token = CAST(r.value ->> 2 AS BIGINT)
  AND channels.lease_until > :never
RETURNING channels.workspace_id, channels.channel

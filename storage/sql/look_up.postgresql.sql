-- The same; what was laid out are microseconds since 1970.
INSERT INTO stage_known (piece_id, campaign_id, placed, was, was_at,
                         ref, status, moment_key, place, word, occurred_at, recorded_at, source)
SELECT p.id, p.campaign_id, p.placed,
       CASE WHEN p.status <> :other THEN 2 * p.status WHEN p.word <> '' THEN :of_a_word ELSE 0 END, p.status_at,
       h.ref, h.status, TIMESTAMPTZ 'epoch' + h.moment_key * INTERVAL '1 microsecond', h.place, h.word,
       TIMESTAMPTZ 'epoch' + h.occurred_at * INTERVAL '1 microsecond',
       TIMESTAMPTZ 'epoch' + h.recorded_at * INTERVAL '1 microsecond', h.source
FROM stage_heard h LEFT JOIN pieces p ON p.workspace_id = :workspace AND p.ref = h.ref

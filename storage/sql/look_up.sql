-- The pieces of the told changes, where those are known, and how high these stood when they were looked up: twice the
-- rank, and a foreign word without a moment stands above all paperwork (:of_a_word).
INSERT INTO stage_known (piece_id, campaign_id, placed, was, was_at,
                         ref, status, moment_key, place, word, occurred_at, recorded_at, source)
SELECT p.id, p.campaign_id, p.placed,
       CASE WHEN p.status <> :other THEN 2 * p.status WHEN p.word <> '' THEN :of_a_word ELSE 0 END, p.status_at,
       h.ref, h.status, h.moment_key, h.place, h.word, h.occurred_at, h.recorded_at, h.source
FROM stage_heard h LEFT JOIN pieces p ON p.workspace_id = :workspace AND p.ref = h.ref

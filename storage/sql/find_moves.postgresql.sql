-- The same. Where a piece stands is read again under its lock.
INSERT INTO stage_moves (piece_id, campaign_id, placed, day, cost, was, status, occurred_at, source)
SELECT p.id, p.campaign_id, p.placed, p.day, coalesce(p.cost, 0), p.status, best.status, best.occurred_at, best.source
FROM (SELECT piece_id, status, height, occurred_at, source,
             row_number() OVER (PARTITION BY piece_id ORDER BY height DESC, occurred_at) AS place
      FROM (SELECT k.*, CASE WHEN status <> :other THEN 2 * status
                             WHEN word <> '' AND moment_key = :epoch THEN :of_a_word ELSE 0 END AS height
            FROM stage_known k) heard
      WHERE piece_id IS NOT NULL AND (height > was OR height = was AND (was_at IS NULL OR occurred_at < was_at))
      ORDER BY ref) best
JOIN LATERAL (SELECT * FROM pieces p WHERE p.workspace_id = :workspace AND p.id = best.piece_id FOR UPDATE) p ON true
WHERE best.place = 1
  AND (best.height > CASE WHEN p.status <> :other THEN 2 * p.status WHEN p.word <> '' THEN :of_a_word ELSE 0 END
       OR best.height = CASE WHEN p.status <> :other THEN 2 * p.status WHEN p.word <> '' THEN :of_a_word ELSE 0 END
          AND (p.status_at IS NULL OR best.occurred_at < p.status_at))

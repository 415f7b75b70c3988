-- Which campaigns are current: what moves, what waits for its day, and what was ordered lately; the most recently changed
-- first, as everywhere. One of which nothing was heard for long no longer moves.
SELECT c.id FROM campaigns c LEFT JOIN (
    SELECT campaign_id, sum(pieces) AS pieces,
        sum(CASE WHEN day >= :since THEN pieces ELSE 0 END) AS lately,
        sum(CASE WHEN status IN :open THEN pieces ELSE 0 END) AS waiting
    FROM (SELECT campaign_id, day, status, pieces FROM tallies WHERE workspace_id = :workspace
        UNION ALL SELECT campaign_id, day, status, pieces FROM tally_deltas WHERE workspace_id = :workspace) counts
    GROUP BY campaign_id) m ON m.campaign_id = c.id
WHERE c.workspace_id = :workspace AND (
    c.send_on >= :today
    OR m.pieces > 0 AND (m.lately > 0
        OR m.waiting > 0 AND coalesce(c.changed_at, c.updated_at, c.created_at) >= :heard))
ORDER BY coalesce(c.changed_at, c.updated_at, c.created_at) DESC NULLS LAST, c.id DESC

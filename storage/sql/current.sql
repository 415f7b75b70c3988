-- Which campaigns are current: what moves first, then what waits for its day, then what was ordered lately and is
-- complete; each the most recently changed first. One of which nothing was heard for long no longer moves.
SELECT c.id FROM campaigns c LEFT JOIN (
    SELECT campaign_id, sum(pieces) AS pieces,
        sum(CASE WHEN day >= :since THEN pieces ELSE 0 END) AS lately,
        sum(CASE WHEN status IN :open THEN pieces ELSE 0 END) AS waiting,
        sum(CASE WHEN status IN :under_way THEN pieces ELSE 0 END) AS moving
    FROM (SELECT campaign_id, day, status, pieces FROM tallies WHERE workspace_id = :workspace
        UNION ALL SELECT campaign_id, day, status, pieces FROM tally_deltas WHERE workspace_id = :workspace) counts
    GROUP BY campaign_id) m ON m.campaign_id = c.id
WHERE c.workspace_id = :workspace AND (
    c.send_on >= :today
    OR m.pieces > 0 AND (m.lately > 0
        OR m.waiting > 0 AND coalesce(c.changed_at, c.updated_at, c.created_at) >= :heard))
ORDER BY
    CASE WHEN m.moving > 0 AND coalesce(c.changed_at, c.updated_at, c.created_at) >= :heard THEN 0
        WHEN m.waiting > 0 OR c.send_on >= :today THEN 1 ELSE 2 END,
    coalesce(c.changed_at, c.updated_at, c.created_at) DESC NULLS LAST, c.id DESC

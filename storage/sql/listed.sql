-- A page of the campaigns that have pieces ordered in these days, the most recently changed first.
SELECT c.id
FROM campaigns c JOIN (
    SELECT campaign_id FROM (
        SELECT campaign_id, status, pieces, cost FROM tallies
        WHERE workspace_id = :workspace AND day BETWEEN :first AND :last
        UNION ALL SELECT campaign_id, status, pieces, cost FROM tally_deltas
        WHERE workspace_id = :workspace AND day BETWEEN :first AND :last) counts
    GROUP BY campaign_id HAVING sum(pieces) > 0) m
ON m.campaign_id = c.id
WHERE c.workspace_id = :workspace
ORDER BY coalesce(c.changed_at, c.updated_at, c.created_at) DESC NULLS LAST, c.id DESC
LIMIT :limit OFFSET :start

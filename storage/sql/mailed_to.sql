-- How many of a campaign's next pieces were mailed to each state, and by which number the next read begins.
SELECT region, sum(CASE WHEN status IN :mailed THEN 1 ELSE 0 END) AS n, max(id) AS last FROM (
    SELECT id, region, status FROM pieces
    WHERE workspace_id = :workspace AND campaign_id = :campaign AND id > :after ORDER BY id LIMIT :limit) portion
GROUP BY region

-- The next pieces of a campaign, by number: no page costs more than the first.
SELECT id FROM pieces
WHERE workspace_id = :workspace AND campaign_id = :campaign AND id > :after
ORDER BY id LIMIT :limit

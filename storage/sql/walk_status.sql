-- The next pieces of a campaign at one status, by number: no page costs more than the first.
SELECT id FROM pieces
WHERE workspace_id = :workspace AND campaign_id = :campaign AND id > :after AND status = :status
ORDER BY id LIMIT :limit

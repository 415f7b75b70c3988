-- What came back of a campaign in a span of time, the last first, and beside each how many did. All of the campaign's
-- pieces are read, for no index holds what moves (see walk_returned).
SELECT id, count(*) OVER () AS number FROM pieces
WHERE workspace_id = :workspace AND campaign_id = :campaign AND status = :back
AND status_at >= :begin AND status_at < :end
ORDER BY status_at DESC, id DESC LIMIT :limit

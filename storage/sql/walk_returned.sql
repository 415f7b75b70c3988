-- A campaign's returned pieces, those that came back last first, behind the last one of the page before. All of the
-- campaign's pieces are read, for no index holds what moves: each page costs as much as the last one by number would.
SELECT id FROM pieces
WHERE workspace_id = :workspace AND campaign_id = :campaign AND status = :back
AND (coalesce(status_at, :never), id) < (:at, :piece)
ORDER BY coalesce(status_at, :never) DESC, id DESC LIMIT :limit

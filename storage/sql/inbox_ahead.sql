-- The next so many workspaces above a number of which a call waits: each found by a look into the key, not by reading
-- what waits.
WITH RECURSIVE ahead (workspace_id, place) AS (
    SELECT (SELECT i.workspace_id FROM inbox i WHERE i.workspace_id > :after ORDER BY i.workspace_id LIMIT 1), 1
    UNION ALL
    SELECT (SELECT i.workspace_id FROM inbox i WHERE i.workspace_id > ahead.workspace_id
            ORDER BY i.workspace_id LIMIT 1), ahead.place + 1
    FROM ahead WHERE ahead.workspace_id IS NOT NULL AND ahead.place < :most)
SELECT ahead.workspace_id FROM ahead WHERE ahead.workspace_id IS NOT NULL

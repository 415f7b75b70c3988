-- The last of the next :size pieces of a campaign: so many are counted in one read.
SELECT max(id) FROM (SELECT id FROM pieces
                     WHERE workspace_id = :workspace AND campaign_id = :campaign AND id > :after
                     ORDER BY id LIMIT :size) part

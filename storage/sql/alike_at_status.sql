-- Pieces of a campaign, at one status, that are alike what was typed: by their beginning, or by their id.
-- The plus keeps SQLite from reading the whole campaign instead of the few that are alike.
SELECT id FROM (SELECT id FROM pieces
    WHERE workspace_id = :workspace AND name_key >= :key AND name_key < :end
        AND +campaign_id = :campaign AND status = :status LIMIT :most) name_keys
UNION ALL SELECT id FROM (SELECT id FROM pieces
    WHERE workspace_id = :workspace AND surname_key >= :key AND surname_key < :end
        AND +campaign_id = :campaign AND status = :status LIMIT :most) surname_keys
UNION ALL SELECT id FROM (SELECT id FROM pieces
    WHERE workspace_id = :workspace AND address_key >= :key AND address_key < :end
        AND +campaign_id = :campaign AND status = :status LIMIT :most) address_keys
UNION ALL SELECT id FROM (SELECT id FROM pieces
    WHERE workspace_id = :workspace AND postcode >= :zip AND postcode < :zip_end
        AND +campaign_id = :campaign AND status = :status LIMIT :most) postcodes
UNION ALL SELECT id FROM pieces
    WHERE workspace_id = :workspace AND ref = :ref AND +campaign_id = :campaign AND status = :status

-- Pieces whose recipient's name, surname, address or ZIP begins so. Each is looked up in its index, and of more than
-- :most that are alike not all are looked at.
SELECT id FROM (SELECT id FROM pieces
    WHERE workspace_id = :workspace AND name_key >= :key AND name_key < :end LIMIT :most) name_keys
UNION ALL SELECT id FROM (SELECT id FROM pieces
    WHERE workspace_id = :workspace AND surname_key >= :key AND surname_key < :end LIMIT :most) surname_keys
UNION ALL SELECT id FROM (SELECT id FROM pieces
    WHERE workspace_id = :workspace AND address_key >= :key AND address_key < :end LIMIT :most) address_keys
UNION ALL SELECT id FROM (SELECT id FROM pieces
    WHERE workspace_id = :workspace AND postcode >= :zip AND postcode < :zip_end LIMIT :most) postcodes

-- Who a piece was sent to and was dropped stays dropped (see `storage.privacy`), whatever is told again.
UPDATE stage_pieces SET name = '', name_key = '', surname_key = '', address_key = '',
                        company = '', address = '', city = '', postcode = ''
WHERE ref IN (SELECT p.ref FROM stage_met m JOIN pieces p ON p.workspace_id = :workspace AND p.id = m.piece_id
              WHERE p.erased)

-- The same, and lists them at once: another process may number its own pieces in between.
WITH made AS (
    INSERT INTO pieces (workspace_id, ref, campaign_id, placed, status, word, kind, format, name, name_key, surname_key,
                        address_key, company, address, city, region, postcode, country,
                        day, created_at, dispatched_at, facts_at, cost, listed_print, placed_print)
    SELECT CAST(:workspace AS INTEGER), s.ref, coalesce(c.id, 0), s.campaign_ref IS NOT NULL, :other, '',
           s.kind, s.format, s.name, s.name_key, s.surname_key,
           s.address_key, s.company, s.address, s.city, s.region, s.postcode, s.country,
           s.day, s.created_at, s.dispatched_at, s.facts_at, s.cost, s.listed_print, s.placed_print
    FROM stage_pieces s LEFT JOIN campaigns c ON c.workspace_id = :workspace AND c.ref = s.campaign_ref
    WHERE s.created_at IS NOT NULL
      AND NOT EXISTS (SELECT 1 FROM pieces p WHERE p.workspace_id = :workspace AND p.ref = s.ref)
    ORDER BY s.ref
    ON CONFLICT DO NOTHING
    RETURNING id, ref, placed, campaign_id, day, cost)
INSERT INTO stage_met (piece_id, ref, arrived, placed, campaign_id, day, status, cost)
SELECT id, ref, true, placed, campaign_id, day, :other, coalesce(cost, 0) FROM made

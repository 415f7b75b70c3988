-- What only some calls tell of a known piece. A newer answer replaces what it names and leaves what it does not; an
-- older one only fills gaps. A row is written only when that changes it: a poll repeats what is known of every piece
-- under way.
-- Apart from `merge_often`, for it touches indexes, and SQLite writes each anew that an UPDATE names, also where its
-- value stays.
UPDATE pieces AS p SET
    name = CASE WHEN s.name <> '' AND (s.facts_at >= p.facts_at OR p.name = '') THEN s.name ELSE p.name END,
    name_key = CASE WHEN s.name_key <> '' AND (s.facts_at >= p.facts_at OR p.name_key = '')
        THEN s.name_key ELSE p.name_key END,
    surname_key = CASE WHEN s.surname_key <> '' AND (s.facts_at >= p.facts_at OR p.surname_key = '')
        THEN s.surname_key ELSE p.surname_key END,
    address_key = CASE WHEN s.address_key <> '' AND (s.facts_at >= p.facts_at OR p.address_key = '')
        THEN s.address_key ELSE p.address_key END,
    company = CASE WHEN s.company <> '' AND (s.facts_at >= p.facts_at OR p.company = '')
        THEN s.company ELSE p.company END,
    address = CASE WHEN s.address <> '' AND (s.facts_at >= p.facts_at OR p.address = '')
        THEN s.address ELSE p.address END,
    city = CASE WHEN s.city <> '' AND (s.facts_at >= p.facts_at OR p.city = '') THEN s.city ELSE p.city END,
    region = CASE WHEN s.region <> '' AND (s.facts_at >= p.facts_at OR p.region = '') THEN s.region ELSE p.region END,
    postcode = CASE WHEN s.postcode <> '' AND (s.facts_at >= p.facts_at OR p.postcode = '')
        THEN s.postcode ELSE p.postcode END,
    country = CASE WHEN s.country <> '' AND (s.facts_at >= p.facts_at OR p.country = '')
        THEN s.country ELSE p.country END,
    campaign_id = CASE WHEN s.campaign_ref IS NOT NULL AND (s.facts_at >= p.facts_at OR NOT p.placed)
        THEN coalesce((SELECT c.id FROM campaigns c WHERE c.workspace_id = :workspace AND c.ref = s.campaign_ref), 0)
        ELSE p.campaign_id END,
    placed = p.placed OR s.campaign_ref IS NOT NULL,
    -- What told it otherwise before is read again the next time. `keep_prints` then keeps that of this one.
    listed_print = NULL,
    placed_print = NULL,
    facts_at = CASE WHEN s.facts_at >= p.facts_at THEN s.facts_at ELSE p.facts_at END
FROM stage_pieces s
WHERE p.id IN (SELECT piece_id FROM stage_met WHERE NOT arrived)
  AND p.workspace_id = :workspace -- divided
  AND s.ref = p.ref
  AND (s.name NOT IN ('', p.name) AND (s.facts_at >= p.facts_at OR p.name = '')
       OR s.name_key NOT IN ('', p.name_key) AND (s.facts_at >= p.facts_at OR p.name_key = '')
       OR s.surname_key NOT IN ('', p.surname_key) AND (s.facts_at >= p.facts_at OR p.surname_key = '')
       OR s.address_key NOT IN ('', p.address_key) AND (s.facts_at >= p.facts_at OR p.address_key = '')
       OR s.company NOT IN ('', p.company) AND (s.facts_at >= p.facts_at OR p.company = '')
       OR s.address NOT IN ('', p.address) AND (s.facts_at >= p.facts_at OR p.address = '')
       OR s.city NOT IN ('', p.city) AND (s.facts_at >= p.facts_at OR p.city = '')
       OR s.region NOT IN ('', p.region) AND (s.facts_at >= p.facts_at OR p.region = '')
       OR s.postcode NOT IN ('', p.postcode) AND (s.facts_at >= p.facts_at OR p.postcode = '')
       OR s.country NOT IN ('', p.country) AND (s.facts_at >= p.facts_at OR p.country = '')
       OR s.campaign_ref IS NOT NULL AND NOT p.placed
       OR s.campaign_ref IS NOT NULL AND s.facts_at >= p.facts_at
          AND p.campaign_id <> coalesce(
              (SELECT c.id FROM campaigns c WHERE c.workspace_id = :workspace AND c.ref = s.campaign_ref), 0))

-- What every call repeats of a known piece. A newer answer replaces what it names and leaves what it does not; an
-- older one only fills gaps. A row is written only when that changes it: a poll repeats what is known of every piece
-- under way.
UPDATE pieces AS p SET
    kind = CASE WHEN s.kind <> '' AND (s.facts_at >= p.facts_at OR p.kind = '') THEN s.kind ELSE p.kind END,
    format = CASE WHEN s.format <> '' AND (s.facts_at >= p.facts_at OR p.format = '') THEN s.format ELSE p.format END,
    dispatched_at = CASE WHEN s.facts_at >= p.facts_at
        THEN coalesce(s.dispatched_at, p.dispatched_at) ELSE coalesce(p.dispatched_at, s.dispatched_at) END,
    cost = CASE WHEN s.facts_at >= p.facts_at THEN coalesce(s.cost, p.cost) ELSE coalesce(p.cost, s.cost) END,
    -- What told it otherwise before is read again the next time. `keep_prints` then keeps that of this one.
    listed_print = NULL,
    placed_print = NULL,
    facts_at = CASE WHEN s.facts_at >= p.facts_at THEN s.facts_at ELSE p.facts_at END
FROM stage_pieces s
WHERE p.id IN (SELECT piece_id FROM stage_met WHERE NOT arrived)
  AND p.workspace_id = :workspace -- divided
  AND s.ref = p.ref
  AND (s.kind NOT IN ('', p.kind) AND (s.facts_at >= p.facts_at OR p.kind = '')
       OR s.format NOT IN ('', p.format) AND (s.facts_at >= p.facts_at OR p.format = '')
       OR s.dispatched_at <> p.dispatched_at AND s.facts_at >= p.facts_at
       OR s.dispatched_at IS NOT NULL AND p.dispatched_at IS NULL
       OR s.cost <> p.cost AND s.facts_at >= p.facts_at OR s.cost IS NOT NULL AND p.cost IS NULL)

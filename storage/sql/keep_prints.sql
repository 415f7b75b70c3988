-- What a piece's rows in reports were like when they were merged. Of an erased one nothing is kept that was made of who
-- it was sent to. Nor of what was heard before the facts that are there, as by a clock that was set back: of that only
-- gaps were filled.
UPDATE pieces AS p SET
    listed_print = coalesce(s.listed_print, p.listed_print),
    placed_print = coalesce(s.placed_print, p.placed_print)
FROM stage_pieces s
WHERE p.id IN (SELECT piece_id FROM stage_met WHERE NOT arrived)
  AND p.workspace_id = :workspace -- divided
  AND s.ref = p.ref AND p.erased IS NOT TRUE
  AND s.facts_at >= p.facts_at
  AND (s.listed_print IS NOT NULL AND coalesce(p.listed_print, 0) <> s.listed_print
       OR s.placed_print IS NOT NULL AND coalesce(p.placed_print, 0) <> s.placed_print)

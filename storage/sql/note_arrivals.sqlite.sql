-- Lists the pieces that were just inserted. SQLite has one writer, and counts row numbers up: what is above the old top
-- is new.
INSERT INTO stage_met (piece_id, ref, arrived, placed, campaign_id, day, status, cost)
SELECT id, ref, true, placed, campaign_id, day, :other, coalesce(cost, 0) FROM pieces WHERE id > :top

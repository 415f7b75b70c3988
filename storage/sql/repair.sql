-- Takes back by how much the counts differ from the pieces that they count (see `drift`), in one statement.
INSERT INTO tally_deltas (workspace_id, campaign_id, day, status, pieces, cost)
SELECT CAST(:workspace AS INTEGER), campaign_id, day, status, -n, -cost FROM (
    SELECT campaign_id, day, status, sum(n) AS n, sum(cost) AS cost FROM (
        SELECT campaign_id, day, status, pieces AS n, cost
        FROM tallies WHERE workspace_id = :workspace AND campaign_id % :parts = :part
        UNION ALL SELECT campaign_id, day, status, pieces, cost
        FROM tally_deltas WHERE workspace_id = :workspace AND campaign_id % :parts = :part
        UNION ALL SELECT campaign_id, day, status, -count(*), -sum(coalesce(cost, 0))
        FROM pieces WHERE workspace_id = :workspace AND campaign_id % :parts = :part
        GROUP BY campaign_id, day, status) counts
    GROUP BY campaign_id, day, status HAVING sum(n) <> 0 OR sum(cost) <> 0) wrong

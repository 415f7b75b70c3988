-- What the batch's pieces count for now, and no longer count for: differences, summed.
INSERT INTO tally_deltas (workspace_id, campaign_id, day, status, pieces, cost)
SELECT CAST(:workspace AS INTEGER), campaign_id, day, status, sum(n), sum(cost) FROM (
    SELECT v.campaign_id, v.day, v.was AS status, -1 AS n, -v.cost AS cost
    FROM stage_moves v WHERE v.status <> v.was
    UNION ALL SELECT v.campaign_id, v.day, v.status, 1, v.cost
    FROM stage_moves v WHERE v.status <> v.was) net
GROUP BY campaign_id, day, status HAVING sum(n) <> 0 OR sum(cost) <> 0

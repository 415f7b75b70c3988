-- Adds the differences into the tallies and removes them, in one statement: else a difference that another process
-- commits in between would be removed and not added.
WITH gone AS (DELETE FROM tally_deltas RETURNING workspace_id, campaign_id, day, status, pieces, cost)
INSERT INTO tallies (workspace_id, campaign_id, day, status, pieces, cost)
SELECT workspace_id, campaign_id, day, status, sum(pieces), sum(cost) FROM gone WHERE true
GROUP BY workspace_id, campaign_id, day, status
ORDER BY workspace_id, campaign_id, day, status
ON CONFLICT (workspace_id, campaign_id, day, status)
DO UPDATE SET pieces = tallies.pieces + excluded.pieces, cost = tallies.cost + excluded.cost

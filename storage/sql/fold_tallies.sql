-- Adds the differences into the tallies. SQLite has one writer: they are removed by a statement of their own.
INSERT INTO tallies (workspace_id, campaign_id, day, status, pieces, cost)
SELECT workspace_id, campaign_id, day, status, sum(pieces), sum(cost) FROM tally_deltas WHERE true
GROUP BY workspace_id, campaign_id, day, status
ORDER BY workspace_id, campaign_id, day, status
ON CONFLICT (workspace_id, campaign_id, day, status)
DO UPDATE SET pieces = tallies.pieces + excluded.pieces, cost = tallies.cost + excluded.cost

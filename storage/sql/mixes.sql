-- How many pieces of each campaign, ordered in these days, stand at each status.
-- Folded tallies and the differences since, in one statement: a fold in between cannot tear the sum.
SELECT campaign_id, status, CAST(sum(pieces) AS BIGINT) AS pieces, CAST(sum(cost) AS BIGINT) AS cost FROM (
    SELECT campaign_id, status, pieces, cost FROM tallies
    WHERE workspace_id = :workspace AND day BETWEEN :first AND :last
    UNION ALL SELECT campaign_id, status, pieces, cost FROM tally_deltas
    WHERE workspace_id = :workspace AND day BETWEEN :first AND :last) counts
GROUP BY campaign_id, status

-- How many days after a delivery we heard of it, in a sample of pieces that were told of as they came. Of what
-- was read at first, or imported, nobody knows when it could have been heard. Days of mail, as in count_transits.
SELECT late, count(*) AS n FROM (
    SELECT max(CAST(julianday(date(c.recorded_at / 1000000 - (c.recorded_at % 86400000000 > 0) * :night, 'unixepoch'))
                    - julianday(date(c.occurred_at / 1000000 - (c.occurred_at % 86400000000 > 0) * :night, 'unixepoch'))
                    AS INTEGER), 0) AS late
    FROM (SELECT id FROM pieces WHERE workspace_id = :workspace AND campaign_id = :campaign
          ORDER BY id LIMIT :size) p
    JOIN changes c ON c.piece_id = p.id AND c.status = :landed
    JOIN workspaces w ON w.id = :workspace
    WHERE c.moment_key = c.occurred_at AND c.recorded_at > w.baseline_at AND c.recorded_at >= c.occurred_at
      AND c.source IN (:webhook, :poll)) told
GROUP BY late

-- How many days after a delivery we heard of it, in a sample of pieces that were told of as they came. Of what
-- was read at first, or imported, nobody knows when it could have been heard. Days of mail, as in count_transits.
SELECT late, count(*) AS n FROM (
    SELECT greatest(
        CAST(heard - CASE WHEN CAST(heard AS TIME) > TIME '00:00' THEN night ELSE INTERVAL '0' END AS DATE)
        - CAST(landed - CASE WHEN CAST(landed AS TIME) > TIME '00:00' THEN night ELSE INTERVAL '0' END AS DATE), 0) AS late
    FROM (SELECT c.recorded_at AT TIME ZONE 'UTC' AS heard, c.occurred_at AT TIME ZONE 'UTC' AS landed,
                 make_interval(secs => :night) AS night
          FROM (SELECT id FROM pieces WHERE workspace_id = :workspace AND campaign_id = :campaign
                ORDER BY id LIMIT :size) p
          JOIN changes c ON c.workspace_id IN (0, :workspace) AND c.piece_id = p.id AND c.status = :landed
          JOIN workspaces w ON w.id = :workspace
          WHERE c.moment_key = c.occurred_at AND c.recorded_at > w.baseline_at AND c.recorded_at >= c.occurred_at
            AND c.source IN (:webhook, :poll)) told) dated
GROUP BY late

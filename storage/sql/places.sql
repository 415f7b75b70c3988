-- Where the returned pieces of a part of a campaign were to go, by state and the first three digits of the ZIP code.
SELECT region, substr(postcode, 1, 3) AS zip3, count(*) AS n FROM pieces
WHERE workspace_id = :workspace AND campaign_id = :campaign AND id > :after AND id <= :upto AND status = :back
GROUP BY region, substr(postcode, 1, 3)

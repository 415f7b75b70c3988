-- How long mail took: pieces of a part of a campaign that were handed over, by form, the day of that, how they ended
-- (:other: not yet), and after how many days. A day of mail begins :night seconds after midnight in UTC; midnight itself
-- stands for a day whose hour was not told.
SELECT form, handed_on, ended, days, count(*) AS n FROM (
    SELECT kind || ' ' || format AS form, handed_on,
           CASE WHEN status IN (:landed, :back) THEN status ELSE :other END AS ended,
           CASE WHEN status IN (:landed, :back) THEN greatest(ended_on - handed_on, 0) ELSE 0 END AS days
    FROM (SELECT kind, format, status,
                 CAST(handed - CASE WHEN CAST(handed AS TIME) > TIME '00:00' THEN night ELSE INTERVAL '0' END AS DATE)
                     AS handed_on,
                 CAST(ended - CASE WHEN CAST(ended AS TIME) > TIME '00:00' THEN night ELSE INTERVAL '0' END AS DATE)
                     AS ended_on
          FROM (SELECT p.kind, p.format, p.status, make_interval(secs => :night) AS night,
                       p.status_at AT TIME ZONE 'UTC' AS ended,
                       coalesce(p.dispatched_at, (
                    SELECT min(c.occurred_at) FROM changes c
                    WHERE c.workspace_id IN (0, :workspace) AND c.piece_id = p.id AND c.status = :handed))
                           AT TIME ZONE 'UTC' AS handed
                FROM pieces p
                WHERE p.workspace_id = :workspace AND p.campaign_id = :campaign
                  AND p.id > :after AND p.id <= :upto AND p.status >= :handed) known
          WHERE handed IS NOT NULL) mailed) dated
GROUP BY form, handed_on, ended, days

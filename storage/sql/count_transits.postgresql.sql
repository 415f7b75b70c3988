-- How long mail took: pieces of a part of a campaign that were handed over, by form, the day of that, how they ended
-- (:other: not yet), and after how many days. UTC days.
SELECT form, handed_on, ended, days, count(*) AS n FROM (
    SELECT kind || ' ' || format AS form, handed_on,
           CASE WHEN status IN (:landed, :back) THEN status ELSE :other END AS ended,
           CASE WHEN status IN (:landed, :back) AND days > 0 THEN days ELSE 0 END AS days
    FROM (SELECT kind, format, status, CAST(handed AT TIME ZONE 'UTC' AS DATE) AS handed_on,
                 CAST(status_at AT TIME ZONE 'UTC' AS DATE)
                     - CAST(handed AT TIME ZONE 'UTC' AS DATE) AS days
          FROM (SELECT p.kind, p.format, p.status, p.status_at, coalesce(p.dispatched_at, (
                    SELECT min(c.occurred_at) FROM changes c
                    WHERE c.workspace_id IN (0, :workspace) AND c.piece_id = p.id AND c.status = :handed)) AS handed
                FROM pieces p
                WHERE p.workspace_id = :workspace AND p.campaign_id = :campaign
                  AND p.id > :after AND p.id <= :upto AND p.status >= :handed) known
          WHERE handed IS NOT NULL) mailed) dated
GROUP BY form, handed_on, ended, days

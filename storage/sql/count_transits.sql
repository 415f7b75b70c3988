-- How long mail took: pieces of a part of a campaign that were handed over, by form, the day of that, how they ended
-- (:other: not yet), and after how many days. A day of mail begins :night seconds after midnight in UTC; midnight itself
-- stands for a day whose hour was not told.
SELECT form, handed_on, ended, days, count(*) AS n FROM (
    SELECT kind || ' ' || format AS form, handed_on,
           CASE WHEN status IN (:landed, :back) THEN status ELSE :other END AS ended,
           CASE WHEN status IN (:landed, :back) THEN
               max(CAST(julianday(ended_on) - julianday(handed_on) AS INTEGER), 0) ELSE 0 END AS days
    FROM (SELECT kind, format, status,
                 date(handed / 1000000 - (handed % 86400000000 > 0) * :night, 'unixepoch') AS handed_on,
                 date(status_at / 1000000 - (status_at % 86400000000 > 0) * :night, 'unixepoch') AS ended_on
          FROM (SELECT p.kind, p.format, p.status, p.status_at, coalesce(p.dispatched_at, (
                    SELECT min(c.occurred_at) FROM changes c
                    WHERE c.piece_id = p.id AND c.status = :handed)) AS handed
                FROM pieces p
                WHERE p.workspace_id = :workspace AND p.campaign_id = :campaign
                  AND p.id > :after AND p.id <= :upto AND p.status >= :handed) known
          WHERE handed IS NOT NULL) mailed) dated
GROUP BY form, handed_on, ended, days

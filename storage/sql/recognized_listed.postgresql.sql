-- The same, with the told pieces as two lists.
SELECT t.ref
FROM unnest(CAST(:refs AS TEXT[]), CAST(:prints AS BIGINT[])) AS t (ref, print)
JOIN LATERAL (
    SELECT p.listed_print AS print FROM pieces p WHERE p.workspace_id = :workspace AND p.ref = t.ref OFFSET 0
) p ON p.print = t.print

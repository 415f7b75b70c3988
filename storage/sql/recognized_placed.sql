-- Which of the told pieces have this very fingerprint.
SELECT t.key
FROM json_each(:told) t CROSS JOIN pieces p ON p.workspace_id = :workspace AND p.ref = t.key
WHERE p.placed_print = t.value

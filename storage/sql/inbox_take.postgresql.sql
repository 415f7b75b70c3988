-- Takes the oldest calls of these workspaces out of the inbox: an equal share of each, the first of each before the
-- second of any, as many as there is room for, and at least one. What another process holds is left to it.
WITH held AS MATERIALIZED (
    SELECT l.workspace_id, l.id, l.size, w.place
    FROM unnest(CAST(:workspaces AS INTEGER[])) WITH ORDINALITY AS w (workspace_id, place)
    CROSS JOIN LATERAL (
        SELECT i.workspace_id, i.id, octet_length(i.body) AS size FROM inbox i
        WHERE i.workspace_id = w.workspace_id AND i.id <> ALL (CAST(:without AS BIGINT[]))
        ORDER BY i.id LIMIT :share FOR UPDATE SKIP LOCKED) l),
in_turn AS (
    SELECT h.workspace_id, h.id, h.size, h.place,
           row_number() OVER (PARTITION BY h.workspace_id ORDER BY h.id) AS turn FROM held h),
taken AS MATERIALIZED (
    SELECT t.workspace_id, t.id, row_number() OVER (ORDER BY t.turn, t.place) AS nth,
           sum(t.size) OVER (ORDER BY t.turn, t.place) AS filled FROM in_turn t)
DELETE FROM inbox i USING taken t
WHERE i.workspace_id = t.workspace_id AND i.id = t.id AND (t.filled <= :budget OR t.nth = 1)
RETURNING i.workspace_id, i.id, i.heard_at, i.platform, i.body, t.nth

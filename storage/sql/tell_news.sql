-- Which channels are told of what: each placed piece that rose to a notable status, by a webhook or a poll, once for
-- each channel that asked for its campaign, or for all (0).
-- Here: of the changes of this batch.
INSERT INTO outbox (workspace_id, channel, piece_id, status, campaign_id, created_at, refusal)
SELECT DISTINCT CAST(:workspace AS INTEGER), s.channel, p.id, c.status, p.campaign_id, :now, ''
FROM stage_known k
CROSS JOIN changes c ON c.piece_id = k.piece_id AND c.status = k.status
    AND c.moment_key = k.moment_key AND c.place = k.place AND c.word = k.word
CROSS JOIN pieces p ON p.id = k.piece_id
CROSS JOIN workspaces w ON w.id = :workspace
CROSS JOIN subscriptions s ON s.workspace_id = :workspace AND s.campaign_id IN (0, p.campaign_id)
WHERE p.placed AND c.status IN :notable AND c.source IN (:webhook, :poll)
  -- What was there before is no news.
  AND c.recorded_at > w.baseline_at AND c.recorded_at > s.since AND c.recorded_at > :stale
  -- A subscription of "tomorrow" was made by a clock that has been set back since.
  AND c.occurred_at >= (CASE WHEN s.since > :now THEN :now ELSE s.since END) - :grace * 1000000
  -- Nor is what was known before in another form, or from an import.
  AND NOT EXISTS (SELECT 1 FROM changes e WHERE e.piece_id = c.piece_id AND e.status >= c.status
                  AND (e.recorded_at <= w.baseline_at OR e.recorded_at <= s.since
                       OR e.source = :imported AND e.recorded_at < c.recorded_at))
  -- Nor is how a piece stands that was ordered before, and of which a poll says for the first time where it is.
  AND NOT (c.source = :poll AND c.moment_key = :epoch
           AND p.created_at < (CASE WHEN s.since > :now THEN :now ELSE s.since END)
           AND NOT EXISTS (SELECT 1 FROM changes e WHERE e.piece_id = c.piece_id AND e.recorded_at < c.recorded_at))
  -- A cancellation that somebody here asked for is told by its own answer.
  AND NOT (c.status = :cancelled
           AND EXISTS (SELECT 1 FROM cancellations a WHERE a.workspace_id = :workspace AND a.piece_id = p.id
                       AND a.outcome IN ('', 'cancelled', 'already cancelled')))
ORDER BY 2, 3, 4
ON CONFLICT DO NOTHING

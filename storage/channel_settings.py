"""How each channel wants to be told: its hours, its alarm, what digests have told it, and how it was before."""

import json
from collections import defaultdict
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, and_, exists, not_, or_, select, update

from storage import outbox
from storage.cards import BEHIND
from storage.database import rows_changed
from storage.records import (
    NO_CAMPAIGN,
    CampaignId,
    ChannelId,
    ChannelSettings,
    ChannelSubscription,
    Ended,
    NotifyOn,
    WorkspaceId,
)
from storage.schema.tables import campaigns, cards, channels, subscriptions


def of(connection: Connection, workspace_id: WorkspaceId, channel: ChannelId) -> ChannelSettings:
    """This channel's choices; the defaults for one that we do not know."""
    row = connection.execute(select(channels).where(_mine(workspace_id, channel))).first()
    return _choices(row) if row else ChannelSettings()


def state_of(connection: Connection, workspace_id: WorkspaceId, channel: ChannelId) -> str:
    """What is kept of what this channel was told; "" for one that was never told anything."""
    return connection.scalar(select(channels.c.state).where(_mine(workspace_id, channel))) or ""


def keep(connection: Connection, workspace_id: WorkspaceId, channel: ChannelId, settings: ChannelSettings) -> None:
    """Keeps them. Its quiet hours begin with the next look at the clock."""
    quiet_from, quiet_until = settings.quiet or (None, None)
    values: dict[str, Any] = {
        "zone": settings.zone,
        "digest_hour": settings.digest_hour,
        "quiet_from": quiet_from,
        "quiet_until": quiet_until,
        "hush_from": None,
        "hush_until": None,
        "alarm_percent": settings.alarm_percent,
    }
    connection.execute(update(channels).where(_mine(workspace_id, channel)).values(**values))


def ended(connection: Connection, workspace_id: WorkspaceId, channel: ChannelId) -> Ended:
    """How its alerts were before they were turned off."""
    row = connection.execute(select(channels).where(_mine(workspace_id, channel))).first()
    wants, last = _ended(row.ended if row else None)
    told_of = {CampaignId(int(key)): frozenset(NotifyOn(word) for word in told) for key, told in wants.items()}
    settings = _choices(row) if row and row.zone else None
    muted = row.muted_until if row else None
    return Ended(told_of, [CampaignId(one) for one in last if CampaignId(one) in told_of], settings, muted)


def lock(connection: Connection, workspace_id: WorkspaceId, channel: ChannelId) -> None:
    """Nobody else changes what this channel is told, or mutes it, until the transaction ends. Who locks it and changes
    its subscriptions does so in this order."""
    connection.execute(select(channels.c.channel).where(_mine(workspace_id, channel)).with_for_update())


def note_ended(
    connection: Connection, workspace_id: WorkspaceId, channel: ChannelId, wants: Mapping[CampaignId, str]
) -> None:
    """These have just ended together, of which this was told (words of NotifyOn, comma-separated)."""
    mine = _mine(workspace_id, channel)
    # Two who turn off at once: neither forgets what the other one ended.
    known, _ = _ended(connection.scalar(select(channels.c.ended).where(mine).with_for_update()))
    known |= {str(key): [word for word in told.split(",") if word] for key, told in wants.items()}
    left = exists().where(subscriptions.c.workspace_id == workspace_id, subscriptions.c.channel == channel)
    last = [] if connection.scalar(select(left)) else sorted(wants)
    kept = json.dumps({"wants": known, "last": last})
    connection.execute(update(channels).where(mine).values(ended=kept))


def _ended(kept: str | None) -> tuple[dict[str, list[str]], list[int]]:
    known = json.loads(kept or "{}")
    return known.get("wants", {}), known.get("last", [])


def digested_on(connection: Connection, workspace_id: WorkspaceId, channel: ChannelId) -> date | None:
    """The day of its last digest, by its own clock; None for none yet."""
    day: date | None = connection.scalar(select(channels.c.digested_on).where(_mine(workspace_id, channel)))
    return day


def muted_until(connection: Connection, workspace_id: WorkspaceId, channel: ChannelId) -> datetime | None:
    """Until when it was muted, whether anything is on there or not; that may be over by now."""
    until: datetime | None = connection.scalar(select(channels.c.muted_until).where(_mine(workspace_id, channel)))
    return until


def keep_state(connection: Connection, workspace_id: WorkspaceId, channel: ChannelId, state: str) -> None:
    """Keeps what was told, for a channel that is told of nothing now, so that nobody else writes it."""
    connection.execute(update(channels).where(_mine(workspace_id, channel)).values(state=state))


def listeners(
    connection: Connection, workspace_id: WorkspaceId, now: datetime, channel: ChannelId | None = None
) -> list[ChannelSubscription]:
    """Every channel that is told of something; with `channel`, that one, if it is."""
    notify_on: dict[str, dict[CampaignId, frozenset[NotifyOn]]] = defaultdict(dict)
    for row in connection.execute(select(subscriptions).where(subscriptions.c.workspace_id == workspace_id)).all():
        notify_on[row.channel][CampaignId(row.campaign_id)] = frozenset(NotifyOn(w) for w in row.wants.split(",") if w)
    asked = channels.c.workspace_id == workspace_id if channel is None else _mine(workspace_id, channel)
    rows = connection.execute(select(channels).where(asked)).all()
    return [
        ChannelSubscription(
            ChannelId(row.channel),
            _choices(row),
            notify_on[row.channel],
            row.digested_on,
            row.state or "",
            None if row.hush_from is None else (row.hush_from, row.hush_until),
            resting=bool(row.blocked) or is_muted(row.muted_until, now),
        )
        for row in rows
        if row.channel in notify_on
    ]


def is_muted(until: datetime | None, now: datetime) -> bool:
    """Whether this mute lasts: not one that is over, nor one that a clock wrote which has been set back since."""
    return until is not None and now < until <= now + outbox.MUTED_AT_MOST


def _choices(row: Row[Any]) -> ChannelSettings:
    quiet = None if row.quiet_from is None or row.quiet_until is None else (row.quiet_from, row.quiet_until)
    return ChannelSettings(row.zone or "UTC", row.digest_hour, quiet, row.alarm_percent)


def note_quiet_window(
    connection: Connection, workspace_id: WorkspaceId, channel: ChannelId, begin: datetime, end: datetime
) -> None:
    """Between these moments nothing is claimed for the channel."""
    connection.execute(update(channels).where(_mine(workspace_id, channel)).values(hush_from=begin, hush_until=end))


def told(connection: Connection, held: outbox.Hold, state: str, on: date | None = None) -> bool:
    """Keeps what was told, and the day of the digest if it was one; False when the channel is no longer held."""
    values: dict[str, Any] = {"state": state} | ({"digested_on": on} if on else {})
    mine = _mine(held.workspace_id, held.channel), channels.c.token == held.token
    return rows_changed(connection, update(channels).where(*mine).values(**values)) == 1


def _mine(workspace_id: WorkspaceId, channel: ChannelId) -> ColumnElement[bool]:
    return and_(channels.c.workspace_id == workspace_id, channels.c.channel == channel)


def stale_cards(
    connection: Connection, workspace_id: WorkspaceId, before: datetime, now: datetime, limit: int
) -> list[tuple[ChannelId, CampaignId]]:
    """Cards whose campaign moved since they were last edited, or whose last edit Slack did not take, which was before
    this moment; the oldest first."""
    rows = (
        select(cards.c.channel, cards.c.campaign_id)
        .join(campaigns, and_(campaigns.c.workspace_id == workspace_id, campaigns.c.id == cards.c.campaign_id))
        .join(channels, and_(channels.c.workspace_id == workspace_id, channels.c.channel == cards.c.channel))
        .where(
            cards.c.workspace_id == workspace_id,
            # Edited "tomorrow" was by a clock that has been set back since.
            or_(
                and_(
                    or_(campaigns.c.changed_at > cards.c.edited_at, cards.c.shows == BEHIND),
                    cards.c.edited_at <= before,
                ),
                cards.c.edited_at > now + outbox.FURTHEST,
            ),
            channels.c.blocked == "",
            # A channel that asked for no more news keeps its last card as it was.
            exists().where(
                subscriptions.c.workspace_id == workspace_id,
                subscriptions.c.channel == cards.c.channel,
                subscriptions.c.campaign_id.in_((NO_CAMPAIGN, cards.c.campaign_id)),
            ),
            or_(
                channels.c.muted_until.is_(None),
                not_(channels.c.muted_until.between(now, now + outbox.MUTED_AT_MOST)),
            ),
        )
        .order_by(cards.c.edited_at)
        .limit(limit)
    )
    return [(ChannelId(row.channel), CampaignId(row.campaign_id)) for row in connection.execute(rows).all()]

"""Slack teams, their mail account's state, and which channel is told of what."""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, Row, Text, and_, cast, delete, func, literal, or_, select, update

from storage import channel_settings, outbox
from storage.database import rows_changed, upsert
from storage.records import (
    NO_CAMPAIGN,
    CampaignId,
    ChannelId,
    Gap,
    Money,
    NotifyOn,
    PlatformState,
    Rules,
    Subscription,
    UserId,
    Workspace,
    WorkspaceId,
)
from storage.schema.tables import EPOCH, Moment, campaigns, channels, leases, people, subscriptions, workspaces


class WorkspaceUnknownError(LookupError):
    """This Slack workspace is not connected to Piecewise."""


def ensure(connection: Connection, team_id: str, name: str, currency: str) -> Workspace:
    """The workspace of this Slack team, made on first sight; name and currency (unless "") are brought up to date."""
    changed = {"name": name} | ({"currency": currency} if currency else {})
    adding = upsert(connection, workspaces).values(team_id=team_id, name=name, currency=currency or "USD")
    adding = adding.on_conflict_do_update(index_elements=["team_id"], set_=changed)
    connection.execute(adding)
    return by_team(connection, team_id)


def by_team(connection: Connection, team_id: str) -> Workspace:
    """The workspace of this Slack team; raises WorkspaceUnknownError."""
    return _one(connection.execute(select(workspaces).where(workspaces.c.team_id == team_id)).first())


def by_id(connection: Connection, workspace_id: WorkspaceId) -> Workspace:
    """The workspace with this number; raises WorkspaceUnknownError."""
    return _one(connection.execute(select(workspaces).where(workspaces.c.id == workspace_id)).first())


def is_known(connection: Connection, workspace_id: WorkspaceId) -> bool:
    """Whether there is such a workspace: it may have been forgotten meanwhile."""
    return connection.scalar(select(workspaces.c.id).where(workspaces.c.id == workspace_id)) is not None


def by_webhook(connection: Connection, key: str) -> Workspace:
    """The workspace whose webhook's address ends in what has this SHA-256; raises WorkspaceUnknownError."""
    mine = workspaces.c.webhook_key == key, workspaces.c.removed_at.is_(None)
    return _one(connection.execute(select(workspaces).where(*mine)).first())


def every(connection: Connection) -> list[Workspace]:
    """All workspaces that did not remove us, oldest first."""
    here = select(workspaces).where(workspaces.c.removed_at.is_(None)).order_by(workspaces.c.id)
    return [_one(row) for row in connection.execute(here).all()]


def due(
    connection: Connection, job: str, now: datetime, furthest: datetime, limit: int, *, connected: bool
) -> list[WorkspaceId]:
    """The workspaces whose turn at this job may have come (see `leases.win`), the longest waiting first."""
    turn = leases.c.name == literal(f"{job}:") + cast(workspaces.c.id, Text)
    here = select(workspaces.c.id).outerjoin(leases, turn).where(workspaces.c.removed_at.is_(None))
    if connected:
        here = here.where(workspaces.c.connected_at.is_not(None))
    ready = or_(leases.c.name.is_(None), leases.c.next_at <= now, leases.c.next_at > furthest)
    rows = here.where(ready).order_by(func.coalesce(leases.c.next_at, literal(EPOCH, Moment)), workspaces.c.id)
    return [WorkspaceId(found) for found in connection.scalars(rows.limit(limit)).all()]


def stays(connection: Connection, workspace_id: WorkspaceId, until: datetime) -> None:
    """What Slack said of our leaving until then is not so; what it has said since is still to be looked into."""
    said = workspaces.c.id == workspace_id, workspaces.c.leaving_at <= until
    connection.execute(update(workspaces).where(*said).values(leaving_at=None))


def leaving(connection: Connection) -> list[WorkspaceId]:
    """The workspaces of which Slack said that they removed us, as long as that is not clear."""
    said = workspaces.c.leaving_at.is_not(None), workspaces.c.removed_at.is_(None)
    return [WorkspaceId(one) for one in connection.scalars(select(workspaces.c.id).where(*said)).all()]


def _one(row: Row[Any] | None) -> Workspace:
    if row is None:
        raise WorkspaceUnknownError(WorkspaceUnknownError.__doc__)
    return Workspace(
        id=WorkspaceId(row.id),
        team_id=row.team_id,
        name=row.name,
        currency=row.currency,
        balance=None if row.balance is None else Money(row.balance, row.currency),
        balance_at=row.balance_at,
        polled_at=row.polled_at,
        baseline_at=row.baseline_at,
        platform_state=_state(row.platform_state),
        webhook_at=row.webhook_at,
        silence_told=row.silence_told,
        installer=row.installer or "",
        installed_at=row.installed_at,
        leaving_at=row.leaving_at,
        removed_at=row.removed_at,
        connected_at=row.connected_at,
        rules=_rules(row.rules),
        handshake_at=row.handshake_at,
        gaps={
            call: Gap(why, datetime.fromisoformat(since), datetime.fromisoformat(again), passing)
            for call, (why, since, again, passing) in json.loads(row.gaps or "{}").items()
        },
    )


def _state(kept: str | None) -> PlatformState:
    # What a later version keeps beside is not ours to read.
    known = json.loads(kept or "{}")
    return PlatformState(known.get("own"), known.get("campaign_reports"))


def _rules(kept: str | None) -> Rules:
    chosen = json.loads(kept or "{}")
    cancellers, above = chosen.get("cancellers"), chosen.get("approval_above")
    return Rules(
        None if cancellers is None else frozenset(cancellers),
        frozenset(chosen.get("stewards", ["admins"])),
        None if above is None else Decimal(above),
    )


def keep_gaps(connection: Connection, workspace_id: WorkspaceId, gaps: Mapping[str, Gap]) -> None:
    """Keeps what the platform does not answer."""
    kept = {call: (gap.why, gap.since.isoformat(), gap.again.isoformat(), gap.passing) for call, gap in gaps.items()}
    note(connection, workspace_id, gaps=json.dumps(kept))


def keep_platform_state(connection: Connection, workspace_id: WorkspaceId, remembered: PlatformState) -> None:
    """Keeps what is remembered of the platform until its next reading."""
    note(connection, workspace_id, platform_state=json.dumps(asdict(remembered)))


def keep_rules(connection: Connection, workspace_id: WorkspaceId, rules: Rules) -> None:
    """Keeps what admins chose."""
    chosen = {
        "cancellers": None if rules.cancellers is None else sorted(rules.cancellers),
        "stewards": sorted(rules.stewards),
        "approval_above": None if rules.approval_above is None else str(rules.approval_above),
    }
    note(connection, workspace_id, rules=json.dumps(chosen))


def note(connection: Connection, workspace_id: WorkspaceId, /, **facts: Any) -> None:
    """Keeps facts about the account: balance and balance_at, polled_at, baseline_at."""
    connection.execute(update(workspaces).where(workspaces.c.id == workspace_id).values(**facts))


def tell_silence(
    connection: Connection, workspace_id: WorkspaceId, before: datetime | None, now: datetime | None
) -> bool:
    """Whether it is for this process to tell of this silence: of all that ask, one changes what was told `before`."""
    untold = workspaces.c.id == workspace_id, workspaces.c.silence_told.is_not_distinct_from(before)
    return rows_changed(connection, update(workspaces).where(*untold).values(silence_told=now)) == 1


def span_of(connection: Connection, workspace_id: WorkspaceId, person: UserId) -> str:
    """The range that this person chose for their Home, as it was kept; "" for none yet."""
    mine = people.c.workspace_id == workspace_id, people.c.person == person
    return connection.scalar(select(people.c.span).where(*mine)) or ""


def keep_span(connection: Connection, workspace_id: WorkspaceId, person: UserId, span: str) -> None:
    """Remembers the range that this person chose."""
    adding = upsert(connection, people).values(workspace_id=workspace_id, person=person, span=span)
    connection.execute(
        adding.on_conflict_do_update(index_elements=list(people.primary_key.columns), set_={"span": span})
    )


def note_person(
    connection: Connection, workspace_id: WorkspaceId, person: UserId, outside: bool, now: datetime
) -> None:
    """Remembers whether Slack says that this person is no member of the team."""
    said = {"outside": outside, "known_at": now}
    adding = upsert(connection, people).values(workspace_id=workspace_id, person=person, span="", **said)
    connection.execute(adding.on_conflict_do_update(index_elements=list(people.primary_key.columns), set_=said))


def last_known(
    connection: Connection, workspace_id: WorkspaceId, person: UserId, earliest: datetime, latest: datetime
) -> bool | None:
    """Whether Slack last said that this person is no member of the team; None when that was not between these."""
    mine = people.c.workspace_id == workspace_id, people.c.person == person
    lately = people.c.known_at.between(earliest, latest)
    found: bool | None = connection.scalar(select(people.c.outside).where(*mine, lately))
    return found


def familiar(connection: Connection, workspace_id: WorkspaceId, limit: int) -> list[UserId]:
    """Members of the team who used the bot, whoever did so last first."""
    mine = people.c.workspace_id == workspace_id, people.c.outside.is_(False)
    rows = select(people.c.person).where(*mine).order_by(people.c.known_at.desc(), people.c.person).limit(limit)
    return [UserId(person) for person in connection.scalars(rows)]


def first_subscriber(connection: Connection, workspace_id: WorkspaceId) -> UserId | None:
    """Who first asked to be told of anything; None while nobody has."""
    mine = select(subscriptions.c.created_by).where(subscriptions.c.workspace_id == workspace_id)
    found = connection.scalar(mine.order_by(subscriptions.c.since).limit(1))
    return UserId(found) if found else None


def newest_move(connection: Connection, workspace_id: WorkspaceId) -> datetime | None:
    """When a piece of any campaign last moved, by our clock."""
    newest = select(func.max(campaigns.c.changed_at)).where(campaigns.c.workspace_id == workspace_id)
    found: datetime | None = connection.scalar(newest)
    return found


def subscribe(
    connection: Connection,
    workspace_id: WorkspaceId,
    channel: ChannelId,
    campaign_id: CampaignId,
    wants: Iterable[NotifyOn],
    by: UserId,
    now: datetime,
) -> None:
    """From now on this channel is told of this campaign (0: of all). Again: changes what it is told of."""
    # First, for it locks the channel: so does whoever ends something there.
    outbox.open_channel(connection, workspace_id, channel)
    words = ",".join(sorted(wants))
    adding = upsert(connection, subscriptions).values(
        workspace_id=workspace_id,
        channel=channel,
        campaign_id=campaign_id,
        wants=words,
        since=now,
        created_by=by,
    )
    # `since` stays on a second call, so that news already waiting is not lost by a change of taste.
    adding = adding.on_conflict_do_update(index_elements=list(subscriptions.primary_key.columns), set_={"wants": words})
    connection.execute(adding)


def unsubscribe(
    connection: Connection, workspace_id: WorkspaceId, channel: ChannelId, ids: Collection[CampaignId] | None = None
) -> int:
    """Stops telling this channel of these campaigns (None: of anything); gives how many subscriptions ended.

    What it was told of them is remembered.
    """
    channel_settings.lock(connection, workspace_id, channel)
    ending = and_(subscriptions.c.workspace_id == workspace_id, subscriptions.c.channel == channel)
    if ids is not None:
        ending = and_(ending, subscriptions.c.campaign_id.in_(ids))
    gone = delete(subscriptions).where(ending).returning(subscriptions.c.campaign_id, subscriptions.c.wants)
    wants = {CampaignId(row.campaign_id): row.wants for row in connection.execute(gone).all()}
    if wants:
        channel_settings.note_ended(connection, workspace_id, channel, wants)
    return len(wants)


def subscriptions_of(connection: Connection, workspace_id: WorkspaceId, channel: ChannelId) -> list[Subscription]:
    """What this channel is told of: "all campaigns" first, then by name."""
    rows = (
        select(subscriptions, campaigns.c.name, channels.c.muted_until, channels.c.blocked)
        .outerjoin(
            campaigns,
            and_(campaigns.c.workspace_id == workspace_id, campaigns.c.id == subscriptions.c.campaign_id),
        )
        .join(
            channels,
            and_(
                channels.c.workspace_id == subscriptions.c.workspace_id, channels.c.channel == subscriptions.c.channel
            ),
        )
        .where(subscriptions.c.workspace_id == workspace_id, subscriptions.c.channel == channel)
    )
    found = [_subscription(row) for row in connection.execute(rows).all()]
    return sorted(found, key=lambda s: (s.campaign_id != NO_CAMPAIGN, s.campaign_name))


def _subscription(row: Row[Any]) -> Subscription:
    return Subscription(
        channel=ChannelId(row.channel),
        campaign_id=CampaignId(row.campaign_id),
        notify_on=_wants(row.wants),
        campaign_name=row.name or "",
        muted_until=row.muted_until,
        blocked=row.blocked,
    )


def wants_of_channels(
    connection: Connection, workspace_id: WorkspaceId, channels: Sequence[ChannelId]
) -> dict[tuple[ChannelId, CampaignId], frozenset[NotifyOn]]:
    """What these channels want, by campaign; under campaign 0, what they want of all others."""
    rows = select(subscriptions.c.channel, subscriptions.c.campaign_id, subscriptions.c.wants).where(
        subscriptions.c.workspace_id == workspace_id, subscriptions.c.channel.in_(channels)
    )
    return {
        (ChannelId(row.channel), CampaignId(row.campaign_id)): _wants(row.wants)
        for row in connection.execute(rows).all()
    }


def _wants(words: str) -> frozenset[NotifyOn]:
    return frozenset(NotifyOn(word) for word in words.split(",") if word)

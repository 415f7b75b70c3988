"""Outbox to Slack: claims a channel, edits its card, posts what deserves a post, and records what became of it.

One message at most per turn and channel; what is left waits for the channel's next turn, a second later. A crash
between sending and recording repeats at most that one message; an edit repeats invisibly.
"""

import asyncio
import uuid
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

import structlog
from sqlalchemy import Connection
from sqlalchemy.exc import InterfaceError, OperationalError

from handlers import cards
from handlers.grouping import Group, Rider
from handlers.notices import Plan, plan
from handlers.ports import (
    ChannelClosed,
    MessageGone,
    NotInChannel,
    Outage,
    Refusal,
    Removed,
    ScopeMissing,
    WorkspaceGone,
)
from handlers.services import Services, Tenants
from handlers.views import alerts
from storage import enquiries, outbox, workspaces
from storage.outbox import Card, Ending, Item, Parcel
from storage.records import (
    NO_CAMPAIGN,
    CampaignId,
    ChannelId,
    Mix,
    PieceId,
    StoredCampaign,
    StoredPiece,
    Want,
    Workspace,
    WorkspaceId,
)
from storage.statuses import Status

log = structlog.get_logger()

#: How long a channel rests after Slack could not be reached, or after something broke.
REST: Final = timedelta(seconds=30)
#: How long a channel that Slack refuses is left alone before its next news is tried.
UNBLOCK: Final = timedelta(minutes=10)
#: Channels that are being written to at once, in all and of one workspace: enough for a thousand a second.
AT_ONCE: Final = 300
AT_ONCE_EACH: Final = 100
#: Channels claimed in one transaction, and parcels recorded in one.
CLAIMED: Final = 200
RECORDED: Final = 500
#: Rows whose facts are read in one go.
HANDFUL: Final = 5000
#: The courier looks this often (in seconds) while there is something to do.
BREATH: Final = 0.025
SWITCHED_OFF: Final = "Alerts were switched off in this channel before this was told."


@dataclass(frozen=True)
class Facts:
    """A parcel, and what its messages are made of."""

    parcel: Parcel
    workspace: Workspace
    campaign: StoredCampaign | None
    mix: Mix
    wants: frozenset[Want] | None
    card: Card | None
    pieces: dict[PieceId, StoredPiece]


@dataclass
class Courier:
    """Serves the channels of every workspace, each as fast as Slack lets it; a slow one holds up no other."""

    services: Services
    tenants: Tenants
    flying: dict[asyncio.Task[None], WorkspaceId] = field(default_factory=dict)
    stopping: bool = False
    endings: Group[Ending] = field(init=False)

    def __post_init__(self) -> None:
        self.endings = Group(self._record, RECORDED)

    async def serve(self) -> int:
        """Serves what is due, and what becomes due before the channels have rested; gives how many turns that took."""
        services, served, quiet = self.services, 0, 0.0
        # A channel's next turn comes a pace after its last: who waits for the clock's tick instead loses half of them.
        while not self.stopping and quiet < services.policy.pace.total_seconds() + 2 * BREATH:
            begun = await self._begin_due()
            served += begun
            if not served:
                break
            quiet = 0.0 if begun or self.flying else quiet + BREATH
            await services.clock.sleep(BREATH)
        if self.flying:
            await asyncio.wait(list(self.flying))
        return served

    def stop(self) -> None:
        """Begins nothing new."""
        self.stopping = True

    async def _begin_due(self) -> int:
        services, now = self.services, self.services.clock.now()
        room = AT_ONCE - len(self.flying)
        if room <= 0 or not await services.memory.read(outbox.is_due, now, services.policy.settle):
            return 0
        load = Counter(self.flying.values())
        busy = [workspace_id for workspace_id, number in load.items() if number >= AT_ONCE_EACH]
        parcels = await services.memory.write(outbox.claim, now, services.policy.settle, min(room, CLAIMED), busy)
        for group in _handfuls(parcels):
            for facts in await services.memory.read(_gather, group):
                task = asyncio.create_task(self._guarded(facts))
                self.flying[task] = facts.parcel.workspace_id
                task.add_done_callback(self.flying.pop)
        return len(parcels)

    async def _guarded(self, facts: Facts) -> None:
        """One bad row must not stop the others: whatever breaks here rests this channel alone."""
        parcel = facts.parcel
        try:
            await self._deliver(facts)
        except Exception:
            log.exception("delivery.broke", reference=uuid.uuid4().hex[:8], channel=parcel.channel)
            await self._end(Ending(parcel, self.services.clock.now() + REST))

    async def _deliver(self, facts: Facts) -> None:
        services, parcel = self.services, facts.parcel
        try:
            ending = await _tell(await self.tenants.of(parcel.workspace_id), facts)
        except (NotInChannel, ChannelClosed, ScopeMissing, WorkspaceGone, Removed) as refusal:
            log.info("delivery.blocked", channel=parcel.channel, reason=type(refusal).__name__, code=refusal.code)
            now = services.clock.now()
            await services.memory.write(outbox.block, parcel, str(refusal), now, now + UNBLOCK)
            return
        except Outage as outage:
            rest = REST if outage.retry_after is None else timedelta(seconds=outage.retry_after)
            name, seconds = type(outage).__name__, rest.total_seconds()
            log.info("delivery.later", channel=parcel.channel, reason=name, seconds=seconds)
            ending = Ending(parcel, services.clock.now() + rest)
        except Refusal as refusal:
            log.warning("delivery.refused", channel=parcel.channel, reason=type(refusal).__name__, code=refusal.code)
            next_at = services.clock.now() + services.policy.pace
            ending = Ending(parcel, next_at, refused=parcel.items, refusal=str(refusal))
        await self._end(ending)

    async def _end(self, ending: Ending) -> None:
        await self.endings.board(ending).done

    async def _record(self, riders: list[Rider[Ending]]) -> None:
        """What was sent must be kept: while the database is away, it is tried again as long as the leases last."""
        endings = [rider.what for rider in riders]
        give_up = self.services.clock.now() + outbox.LEASE * 0.8
        while True:
            try:
                await self.services.memory.write(outbox.settle, endings, self.services.clock.now())
            except (OperationalError, InterfaceError) as outage:
                if self.services.clock.now() >= give_up:
                    for rider in riders:
                        rider.fail(outage)
                    return
                log.warning("delivery.not_recorded", parcels=len(endings), reason=type(outage.orig).__name__)
                await self.services.clock.sleep(1)
            else:
                break
        for rider in riders:
            rider.succeed()


async def deliver_due(services: Services, tenants: Tenants) -> int:
    """Serves everything that may be told now; gives how many turns that took."""
    return await Courier(services, tenants).serve()


def _handfuls(parcels: list[Parcel]) -> Iterator[list[Parcel]]:
    """The parcels in groups of a bounded number of rows, so that their facts are few at a time."""
    handful: list[Parcel] = []
    for parcel in parcels:
        if handful and sum(len(one.items) for one in handful) + len(parcel.items) > HANDFUL:
            yield handful
            handful = []
        handful.append(parcel)
    if handful:
        yield handful


def _gather(connection: Connection, parcels: list[Parcel]) -> list[Facts]:
    """The facts of several parcels. Many channels are told of the same campaign, which is read once."""
    ids: dict[WorkspaceId, dict[PieceId, None]] = {}
    for parcel in parcels:
        ids.setdefault(parcel.workspace_id, {}).update(dict.fromkeys(item.piece_id for item in parcel.items))
    found = {key: workspaces.by_id(connection, key) for key in ids}
    pieces = {
        (key, piece.id): piece
        for key, those in ids.items()
        for piece in enquiries.pieces_by_id(connection, key, [*those])
    }
    channels = [parcel.channel for parcel in parcels]
    wants = {key: workspaces.wants_of_channels(connection, key, channels) for key in ids}
    campaigns = {(p.workspace_id, p.campaign_id) for p in parcels}
    known = {key: (enquiries.campaign(connection, *key), enquiries.mix(connection, *key)) for key in campaigns}
    posted = outbox.cards_of(connection, parcels)
    return [
        Facts(
            parcel,
            found[parcel.workspace_id],
            *known[parcel.workspace_id, parcel.campaign_id],
            _wanted(wants[parcel.workspace_id], parcel),
            posted.get((parcel.workspace_id, parcel.channel, parcel.campaign_id)),
            {
                item.piece_id: pieces[parcel.workspace_id, item.piece_id]
                for item in parcel.items
                if (parcel.workspace_id, item.piece_id) in pieces
            },
        )
        for parcel in parcels
    ]


def _wanted(wants: Mapping[tuple[ChannelId, CampaignId], frozenset[Want]], parcel: Parcel) -> frozenset[Want] | None:
    """The campaign's own choice, else that for all; None for neither."""
    return wants.get((parcel.channel, parcel.campaign_id), wants.get((parcel.channel, NO_CAMPAIGN)))


async def _tell(services: Services, facts: Facts) -> Ending:
    parcel = facts.parcel
    if facts.wants is None:
        return Ending(parcel, services.clock.now(), refused=parcel.items, refusal=SWITCHED_OFF)
    todo = plan(parcel.items, facts.wants, facts.pieces)
    card, posted = await _show_card(services, facts)
    told = [(item, card.message_ts) for item in todo.quiet]
    if not posted and todo.groups and facts.card is not None:
        told += await _post_news(services, facts, todo, card)
    changed = None if card == facts.card else card
    return Ending(parcel, services.clock.now() + services.policy.pace, tuple(told), card=changed)


async def _show_card(services: Services, facts: Facts) -> tuple[Card, bool]:
    """Brings the card up to date, at most once a minute; gives it, and whether that took a new message."""
    parcel, card, now = facts.parcel, facts.card, services.clock.now()
    spent = cards.spent_line(facts.mix, facts.workspace.currency)
    digest = cards.digest_of(facts.campaign, facts.mix, spent)
    if card is not None and (card.shows == digest or _is_young(services, facts, now)):
        return card, False
    message = alerts.card(facts.campaign, facts.mix, spent, now)
    if card is not None:
        try:
            await services.slack.edit(parcel.channel, card.message_ts, message)
        except MessageGone as gone:
            log.info("card.reposted", channel=parcel.channel, code=gone.code)
        else:
            return Card(card.message_ts, digest, now), False
    return Card(await services.slack.post(parcel.channel, message), digest, now), True


def _is_young(services: Services, facts: Facts, now: datetime) -> bool:
    """Whether it was edited a moment ago, and so can wait for `cards.refresh`, which looks after campaigns."""
    edited_at = facts.card.edited_at if facts.card else None
    return facts.campaign is not None and edited_at is not None and now - edited_at < services.policy.card_pace


async def _post_news(services: Services, facts: Facts, todo: Plan, card: Card) -> list[tuple[Item, str]]:
    """Posts the most pressing group in the card's thread; the others have the channel's next turns."""
    status, items = todo.groups[0]
    title = facts.campaign.facts.name if facts.campaign else "mail sent singly"
    pieces = [facts.pieces[item.piece_id] for item in items]
    message = alerts.news(title, status, pieces, len(items))
    aloud = status is Status.RETURNED and Want.ALOUD in (facts.wants or frozenset())
    ts = await services.slack.post(facts.parcel.channel, message, thread=card.message_ts, broadcast=aloud)
    log.info("delivery.told", channel=facts.parcel.channel, rows=len(items), status=status.name)
    return [(item, ts) for item in items]

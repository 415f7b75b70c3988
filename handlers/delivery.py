"""Outbox to Slack: claims a channel, edits its card, posts what deserves a post, and records what became of it.

One message at most per turn and channel; what is left waits for the channel's next turn, a second later. A crash
between sending and recording repeats at most that one message; an edit repeats invisibly.
"""

import asyncio
import hashlib
import json
import uuid
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import structlog
from sqlalchemy import Connection

from handlers import figures
from handlers.messages import Message
from handlers.notices import Plan, plan
from handlers.ports import ChannelClosed, MessageGone, NotInChannel, Outage, Refusal, ScopeMissing, WorkspaceGone
from handlers.services import Services
from handlers.views import alerts
from storage import enquiries, outbox, workspaces
from storage.outbox import Card, Item, Parcel
from storage.records import Mix, Money, PieceId, StoredCampaign, StoredPiece, Want, Workspace

log = structlog.get_logger()

#: How long a channel rests after Slack could not be reached, or after something broke.
REST: Final = timedelta(seconds=30)
#: How long a channel that Slack refuses is left alone before its next news is tried.
UNBLOCK: Final = timedelta(minutes=10)
SWITCHED_OFF: Final = "Alerts were switched off in this channel before this was told."


@dataclass(frozen=True)
class Facts:
    """What a parcel's messages are made of."""

    workspace: Workspace
    campaign: StoredCampaign | None
    mix: Mix
    wants: frozenset[Want] | None
    card: Card | None
    pieces: dict[PieceId, StoredPiece]


async def deliver_due(services: Services) -> int:
    """Serves every channel that may be written to now; gives how many were."""
    parcels = await services.memory.write(outbox.claim, services.clock.now(), services.policy.settle)
    await asyncio.gather(*(_guarded(services, parcel) for parcel in parcels))
    return len(parcels)


async def _guarded(services: Services, parcel: Parcel) -> None:
    """One bad row must not stop the others: whatever breaks here rests this channel alone."""
    try:
        await _deliver(services, parcel)
    except Exception:
        log.exception("delivery.broke", reference=uuid.uuid4().hex[:8], channel=parcel.channel)
        await services.memory.write(outbox.release, parcel, services.clock.now() + REST)


async def _deliver(services: Services, parcel: Parcel) -> None:
    try:
        await _tell(services, parcel)
    except (NotInChannel, ChannelClosed, ScopeMissing, WorkspaceGone) as refusal:
        log.info("delivery.blocked", channel=parcel.channel, reason=type(refusal).__name__, code=refusal.code)
        now = services.clock.now()
        await services.memory.write(outbox.block, parcel, str(refusal), now, now + UNBLOCK)
    except Outage as outage:
        rest = REST if outage.retry_after is None else timedelta(seconds=outage.retry_after)
        log.info("delivery.later", channel=parcel.channel, reason=type(outage).__name__, seconds=rest.total_seconds())
        await services.memory.write(outbox.release, parcel, services.clock.now() + rest)
    except Refusal as refusal:
        now = services.clock.now()
        log.warning("delivery.refused", channel=parcel.channel, reason=type(refusal).__name__, code=refusal.code)
        await services.memory.write(outbox.refuse, parcel, parcel.items, str(refusal), now)
        await services.memory.write(outbox.release, parcel, now + services.policy.pace)


async def _tell(services: Services, parcel: Parcel) -> None:
    facts = await services.memory.read(_gather, parcel)
    if facts.wants is None:
        now = services.clock.now()
        await services.memory.write(outbox.refuse, parcel, parcel.items, SWITCHED_OFF, now)
        await services.memory.write(outbox.release, parcel, now)
        return
    todo = plan(parcel.items, facts.wants, facts.pieces)
    posted = await _show_card(services, parcel, facts, todo)
    if not posted and todo.groups and facts.card is not None:
        await _post_news(services, parcel, facts, todo)
    await services.memory.write(outbox.release, parcel, services.clock.now() + services.policy.pace)


def _gather(connection: Connection, parcel: Parcel) -> Facts:
    key = parcel.workspace_id, parcel.campaign_id
    ids = list(dict.fromkeys(item.piece_id for item in parcel.items))
    found = enquiries.pieces_by_id(connection, parcel.workspace_id, ids)
    return Facts(
        workspace=workspaces.by_id(connection, parcel.workspace_id),
        campaign=enquiries.campaign(connection, *key),
        mix=enquiries.mix(connection, *key),
        wants=workspaces.wants_of(connection, parcel.workspace_id, parcel.channel, parcel.campaign_id),
        card=outbox.card_of(connection, parcel.workspace_id, parcel.channel, parcel.campaign_id),
        pieces={piece.id: piece for piece in found},
    )


async def _show_card(services: Services, parcel: Parcel, facts: Facts, todo: Plan) -> bool:
    """Brings the card up to date; True when that took a new message. Rows told by the card alone end here."""
    message, digest = _card(services, facts)
    card, posted = facts.card, False
    if card is not None and card.shows != digest:
        try:
            await services.slack.edit(parcel.channel, card.message_ts, message)
            card = Card(card.message_ts, digest)
        except MessageGone as gone:
            log.info("card.reposted", channel=parcel.channel, code=gone.code)
            card = None
    if card is None:
        card, posted = Card(await services.slack.post(parcel.channel, message), digest), True
    now = services.clock.now()

    def keep(connection: Connection) -> None:
        outbox.keep_card(connection, parcel, card)
        outbox.mark_sent(connection, parcel, todo.quiet, card.message_ts, now)

    await services.memory.write(keep)
    return posted


def _card(services: Services, facts: Facts) -> tuple[Message, str]:
    """The card, and a digest of its numbers (its moment does not count: that alone is no reason for an edit)."""
    spent = f"Spent {figures.money(Money(facts.mix.spent, facts.workspace.currency))}"
    message = alerts.card(facts.campaign, facts.mix, spent, services.clock.now())
    numbers = [facts.campaign.facts.name if facts.campaign else "", facts.mix.in_order(), facts.mix.other, spent]
    return message, hashlib.sha256(json.dumps(numbers).encode()).hexdigest()[:16]


async def _post_news(services: Services, parcel: Parcel, facts: Facts, todo: Plan) -> None:
    """Posts the most pressing group in the card's thread; the others have the channel's next turns."""
    assert facts.card is not None  # noqa: S101 - the caller looked
    status, items = todo.groups[0]
    title = facts.campaign.facts.name if facts.campaign else "mail sent singly"
    pieces = [facts.pieces[item.piece_id] for item in items]
    message = alerts.news(title, status, pieces, len(items))
    ts = await services.slack.post(parcel.channel, message, thread=facts.card.message_ts)
    await _mark(services, parcel, items, ts)


async def _mark(services: Services, parcel: Parcel, items: tuple[Item, ...], ts: str) -> None:
    await services.memory.write(outbox.mark_sent, parcel, items, ts, services.clock.now())
    log.info("delivery.told", channel=parcel.channel, rows=len(items), status=items[0].status.name)
